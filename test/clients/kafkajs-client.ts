import { zstdCompress, zstdDecompress } from 'node:zlib'
import { promisify } from 'node:util'
import kafkajs, { type Consumer, type KafkaMessage } from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { compressFrame, decompressFrame } from 'lz4-napi'
import type { ClientLibrary, Member, MemberOptions, ReceivedRecord } from '../cases/client.cases.ts'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

// kafkajs brings gzip only; the others are registered by whoever uses it.
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressFrame(encoder.buffer),
  decompress: decompressFrame,
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => promisify(zstdCompress)(encoder.buffer),
  decompress: promisify(zstdDecompress),
})

const compressions = new Map([
  ['none', CompressionTypes.None],
  ['gzip', CompressionTypes.GZIP],
  ['snappy', CompressionTypes.Snappy],
  ['lz4', CompressionTypes.LZ4],
  ['zstd', CompressionTypes.ZSTD],
])

function received(partition: number, message: KafkaMessage): ReceivedRecord {
  const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)])
  return {
    partition,
    offset: Number(message.offset),
    key: message.key?.toString() ?? null,
    value: message.value?.toString() ?? null,
    headers: Object.fromEntries(headers),
    timestamp: Number(message.timestamp),
  }
}

export function kafkaOf(bootstrap: string) {
  return new Kafka({
    clientId: 'kafkajs',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 10, initialRetryTime: 50, maxRetryTime: 1000 },
  })
}

export function kafkajsClient(bootstrap: string): ClientLibrary {
  const kafka = kafkaOf(bootstrap)
  const admin = kafka.admin()
  const producers = {
    plain: kafka.producer({ allowAutoTopicCreation: false }),
    idempotent: kafka.producer({ idempotent: true, maxInFlightRequests: 5 }),
  }
  const consumers = new WeakMap<Member, Consumer>()
  const connected = Promise.all([admin.connect(), producers.plain.connect(), producers.idempotent.connect()])
  return {
    compressions: [...compressions.keys()],
    async createTopic(topic, numPartitions) {
      await connected
      await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true })
    },
    async produce(topic, records, { compression = 'none', isIdempotent = false } = {}) {
      await connected
      const messages = records.map(({ timestamp, ...record }) => ({
        ...record,
        ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
      }))
      const producer = isIdempotent ? producers.idempotent : producers.plain
      await producer.send({ topic, messages, acks: -1, compression: compressions.get(compression)! })
    },
    async readFrom(topic, { partition, offset, count }) {
      const consumer = kafka.consumer({ groupId: `reader-${topic}-${partition}-${offset}`, maxWaitTimeInMs: 100 })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      const records: ReceivedRecord[] = []
      const done = Promise.withResolvers<void>()
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition: from, message }) => {
          if (from !== partition || Number(message.offset) < offset || records.length >= count) return
          records.push(received(from, message))
          if (records.length === count) done.resolve()
        },
      })
      consumer.seek({ topic, partition, offset: String(offset) })
      await done.promise
      await consumer.disconnect()
      return records
    },
    async offsetsForTime(topic, timestamp) {
      await connected
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
      return new Map(
        found.map(({ partition, offset }) => [partition, Number(offset)] as const).sort(([one], [other]) => one - other),
      )
    },
    async join({ group, topic, onRecord, sessionTimeoutMs = 10_000 }: MemberOptions) {
      const consumer = kafka.consumer({
        groupId: group,
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: 10_000,
        heartbeatInterval: 300,
        maxWaitTimeInMs: 100,
      })
      let partitions: readonly number[] | undefined
      const joined = Promise.withResolvers<void>()
      consumer.on('consumer.group_join', ({ payload }) => {
        partitions = payload.memberAssignment[topic] ?? []
        joined.resolve()
      })
      consumer.on('consumer.rebalancing', () => {
        partitions = undefined
      })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => onRecord(received(partition, message)),
      })
      await joined.promise
      const member: Member = {
        get partitions() {
          return partitions
        },
        leave: () => consumer.disconnect(),
      }
      consumers.set(member, consumer)
      return member
    },
    async commit(member, topic, offsets) {
      await consumers
        .get(member)!
        .commitOffsets([...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })))
    },
    async close() {
      await connected
      await Promise.all([admin.disconnect(), producers.plain.disconnect(), producers.idempotent.disconnect()])
    },
  }
}
