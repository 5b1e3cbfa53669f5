import {
  Admin,
  Consumer,
  type ConsumerOptions,
  type Message,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import type { ClientLibrary, Member, MemberOptions, ReceivedRecord } from '../cases/client.cases.ts'

type TextConsumer = Consumer<string, string, string, string>

function received(message: Message<string, string, string, string>): ReceivedRecord {
  return {
    partition: message.partition,
    offset: Number(message.offset),
    key: message.key ?? null,
    value: message.value ?? null,
    headers: Object.fromEntries(message.headers),
    timestamp: Number(message.timestamp),
  }
}

/** `protocol`: the group protocol of its members, classic or that of KIP-848. */
export function platformaticClient(bootstrap: string, protocol: 'classic' | 'consumer'): ClientLibrary {
  const common = { clientId: 'platformatic', bootstrapBrokers: bootstrap.split(','), retries: 20, retryDelay: 100 }
  const admin = new Admin(common)
  const producer = new Producer({ ...common, serializers: stringSerializers })
  const idempotent = new Producer({ ...common, serializers: stringSerializers, idempotent: true })
  const consumers = new WeakMap<Member, TextConsumer>()
  const makeConsumer = (groupId: string, options: object = {}) =>
    new Consumer({
      ...common,
      groupId,
      deserializers: stringDeserializers,
      autocommit: false,
      maxWaitTime: 100,
      ...options,
    } as ConsumerOptions<string, string, string, string>)
  return {
    compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    async createTopic(topic, partitions) {
      await admin.createTopics({ topics: [topic], partitions, replicas: -1 })
    },
    async produce(topic, records, { compression = 'none', isIdempotent = false } = {}) {
      const messages = records.map(({ partition, key, value, headers, timestamp }) => ({
        topic,
        partition,
        headers: headers ?? {},
        ...(key === null ? {} : { key }),
        ...(value === null ? {} : { value }),
        ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
      }))
      await (isIdempotent ? idempotent : producer).send({ messages, acks: -1, compression: compression as 'gzip' })
    },
    async readFrom(topic, { partition, offset, count }) {
      const consumer = makeConsumer(`reader-${topic}-${partition}-${offset}`)
      const stream = await consumer.consume({
        topics: [topic],
        mode: 'manual',
        offsets: [{ topic, partition, offset: BigInt(offset) }],
      })
      const records: ReceivedRecord[] = []
      for await (const message of stream) {
        if (message.partition === partition) records.push(received(message))
        if (records.length === count) break
      }
      await consumer.close(true)
      return records
    },
    async offsetsForTime(topic, timestamp) {
      const consumer = makeConsumer(`times-${topic}`)
      const offsets = await consumer.listOffsets({ topics: [topic], timestamp: BigInt(timestamp) })
      await consumer.close(true)
      return new Map(offsets.get(topic)!.map((offset, partition) => [partition, Number(offset)]))
    },
    async join({ group, topic, onRecord, sessionTimeoutMs = 10_000 }: MemberOptions) {
      const options =
        protocol === 'consumer'
          ? { groupProtocol: 'consumer' }
          : { sessionTimeout: sessionTimeoutMs, rebalanceTimeout: 10_000, heartbeatInterval: 300 }
      const consumer = makeConsumer(group, options)
      const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
      stream.on('data', (message) => onRecord(received(message)))
      stream.on('error', () => {})
      const member: Member = {
        get partitions() {
          return consumer.assignments?.find((assignment) => assignment.topic === topic)?.partitions
        },
        async leave() {
          await consumer.close(true)
        },
      }
      consumers.set(member, consumer)
      return member
    },
    async commit(member, topic, offsets) {
      await consumers.get(member)!.commit({
        offsets: [...offsets].map(([partition, offset]) => ({ topic, partition, offset: BigInt(offset), leaderEpoch: 0 })),
      })
    },
    async close() {
      await Promise.all([admin.close(), producer.close(), idempotent.close()])
    },
  }
}
