// Workers of test/transactions/worker.ts in kafkajs: node kafkajs-pipeline.ts OPTIONS. One member of a group, with a
// producer and a transactional id for each input partition: kafkajs can neither assign partitions by hand nor tell the
// group's coordinator who it is, so it is the id that keeps a zombie out. All of them are fenced before the group is joined.

import type { Batch, Producer } from 'kafkajs'
import { kafkaOf } from '../clients/kafkajs-client.ts'
import type { WorkerOptions } from './worker.ts'

const options = JSON.parse(process.argv.at(-1)!) as WorkerOptions
const run = Date.now().toString(16)
const kafka = kafkaOf(options.bootstrap)

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

interface Lane {
  readonly name: string
  readonly producer: Producer
  count: number
  /** What is behind this process: kafkajs may be handed records again that were committed while it asked for offsets. */
  next: number
  /** One transaction at a time. */
  turn: Promise<void>
}

async function open(partition: number): Promise<Lane> {
  const name = `${options.name}-${partition}`
  const producer = kafka.producer({
    transactionalId: name, transactionTimeout: options.timeoutMs, idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false,
  })
  await producer.connect()
  return { name, producer, count: 0, next: 0, turn: Promise.resolve() }
}

async function transform(lane: Lane, { partition, offsets }: { readonly partition: number; readonly offsets: readonly number[] }): Promise<void> {
  const { outputPartitions, output, input, group, abortEvery } = options
  const token = `${lane.name}/${run}/${lane.count++}`
  const size = offsets.length + 1
  const messages = offsets.map((offset, index) => ({ partition: (partition + offset) % outputPartitions, value: `${token} ${index} ${size} ${partition}:${offset}` }))
  // In another partition than the last one, so that there are always two.
  const end = { partition: (messages.at(-1)!.partition + 1) % outputPartitions, value: `${token} ${size - 1} ${size} -` }
  const transaction = await lane.producer.transaction()
  // A send to several leaders is repeated by leader: where a partition changes hands in between, kafkajs sends its records to both,
  // or to neither (sendMessages.js, responsePerBroker). What goes to one partition alone is sent once.
  for (const message of [...messages, end]) await transaction.send({ topic: output, messages: [message] })
  const next = offsets.at(-1)! + 1
  await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: input, partitions: [{ partition, offset: String(next) }] }] })
  if (lane.count % abortEvery === 0) {
    await transaction.abort()
    say({ aborted: token })
    return transform(lane, { partition, offsets })
  }
  await transaction.commit()
  lane.next = next
  say({ committed: token })
}

async function transformAll(lane: Lane, { partition, messages }: Batch): Promise<void> {
  const offsets = messages.map(({ offset }) => Number(offset))
  for (let start = 0; start < offsets.length; start += options.recordsMax) {
    const some = offsets.slice(start, start + options.recordsMax).filter((offset) => offset >= lane.next)
    if (some.length > 0) await transform(lane, { partition, offsets: some })
  }
}

/** Whatever goes wrong: the process ends, and is started anew. */
function giveUp(error: unknown): never {
  say({ trouble: `${options.name}: ${error}` })
  process.exit(1)
}

try {
  const lanes = await Promise.all(Array.from({ length: options.inputPartitions }, (_, partition) => open(partition)))
  const consumer = kafka.consumer({ groupId: options.group, maxWaitTimeInMs: 100, sessionTimeout: 6000, heartbeatInterval: 500, retry: { retries: 20 } })
  consumer.on('consumer.crash', ({ payload }) => giveUp(payload.error))
  await consumer.connect()
  await consumer.subscribe({ topic: options.input, fromBeginning: true })
  await consumer.run({
    autoCommit: false, partitionsConsumedConcurrently: options.inputPartitions, eachBatchAutoResolve: true,
    async eachBatch({ batch, heartbeat }) {
      const lane = lanes[batch.partition]!
      lane.turn = lane.turn.then(() => transformAll(lane, batch)).catch(giveUp)
      const beats = setInterval(() => void heartbeat().catch(() => {}), 1000)
      await lane.turn.finally(() => clearInterval(beats))
    },
  })
} catch (error) {
  giveUp(error)
}
process.stdin.resume().on('end', () => process.exit(0))
