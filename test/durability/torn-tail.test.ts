import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { initProducerIdApi } from '../../broker/protocol/messages/init-producer-id.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { batchesIn, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { recordBatch } from '../support/record-batches.ts'
import { seeded } from '../support/seeded.ts'
import { batchesFrom, createTopic, ErrorAnswer, fetchOnce, offsetAt } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { seed } from './settings.ts'

const restarts = Number(process.env['LONGTAIL_TORN_RESTARTS'] ?? 3)
const partitions = 64
const segment = '00000000000000000000.log'

interface Log {
  readonly directory: string
  /** Of the batches that were acknowledged, as they lie on disk. */
  readonly bytes: Buffer
  readonly endOffset: number
  /** What a producer would have written next. */
  readonly next: Buffer
}

interface Damage {
  readonly what: string
  /** The end of the log afterwards, where that may be another one: a batch that is whole may stay. */
  readonly mayEndAt?: (log: Log) => number
  readonly inflict: (log: Log) => void
}

const append = (log: Log, bytes: Buffer) => appendFileSync(join(log.directory, segment), bytes)

/** Every border between fields of a batch's header, and what lies beside it. */
const borders = [0, 8, 12, 16, 17, 21, 23, 27, 35, 43, 51, 53, 57, 61]
  .flatMap((border) => [border - 1, border, border + 1])
  .filter((cut) => cut > 0)

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  return copy
}

function damages(random: () => number): Damage[] {
  const garbage = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
  const somewhere = (log: Log) => 62 + Math.floor(random() * (log.next.length - 64))
  const at = (what: string, bytes: (log: Log) => Buffer): Damage => ({ what, inflict: (log) => append(log, bytes(log)) })
  return [
    ...borders.map((cut) => at(`the next batch is cut at ${cut}`, ({ next }) => next.subarray(0, cut))),
    ...[1, 2, 3, 4].map((which) =>
      at(`the next batch is cut in its records (${which})`, (log) => log.next.subarray(0, somewhere(log))),
    ),
    at('the next batch lacks its last byte', ({ next }) => next.subarray(0, -1)),
    ...[1, 11, 12, 61, 512, 4096, 65_536].map((length) => at(`${length} zero bytes`, () => Buffer.alloc(length))),
    ...[1, 11, 12, 61, 512, 4096, 65_536].map((length) => at(`${length} bytes of garbage`, () => garbage(length))),
    ...[512, 1024, 4096].map((start) =>
      at(`a sector of the next batch at ${start} was not written`, ({ next }) =>
        changed(next, (copy) => copy.fill(0, start, start + 512)),
      ),
    ),
    ...[8, 16, 17, 21, 23, 57, 70].map((byte) =>
      at(`the byte at ${byte} of the next batch is another one`, ({ next }) => changed(next, (copy) => (copy[byte]! ^= 0x41))),
    ),
    at('the next batch says that it is longer than anything', ({ next }) =>
      changed(next, (copy) => copy.writeInt32BE(0x7fff_ffff, 8)),
    ),
    at('the next batch says that its length is negative', ({ next }) => changed(next, (copy) => copy.writeInt32BE(-5, 8))),
    at('the last batch is there again', ({ bytes }) => [...batchesIn(bytes)].at(-1)!.bytes),
    at('a batch of a later offset is there', ({ next, endOffset }) =>
      changed(next, (copy) => new RecordBatch(copy).stamp(endOffset + 1000, 0)),
    ),
    { ...at('the next batch is whole', ({ next }) => next), mayEndAt: ({ next }) => new RecordBatch(next).endOffset },
    {
      ...at('the next batch is whole, and a torn one follows', ({ next }) => Buffer.concat([next, next.subarray(0, 30)])),
      mayEndAt: ({ next }) => new RecordBatch(next).endOffset,
    },
    ...['epochs.json', 'checkpoint.json'].map((file): Damage => ({
      what: `${file} is missing`,
      inflict: (log) => rmSync(join(log.directory, file), { force: true }),
    })),
    {
      what: 'epochs.json is torn',
      inflict: ({ directory }) => {
        const file = join(directory, 'epochs.json')
        if (existsSync(file)) writeFileSync(file, readFileSync(file).subarray(0, 7))
      },
    },
  ]
}

async function append64(client: WireClient, to: { topicId: string; records: (partition: number) => Buffer }): Promise<number[]> {
  const { responses } = await client.call(produceApi, {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [
      {
        topicId: to.topicId,
        name: '',
        partitionData: Array.from({ length: partitions }, (_, index) => ({ index, records: [to.records(index)] })),
      },
    ],
  })
  return responses[0]!.partitionResponses
    .sort((one, other) => one.index - other.index)
    .map(({ errorCode, baseOffset, index }) => {
      assert.equal(errorCode, ErrorCode.NONE, `partition ${index}`)
      return baseOffset
    })
}

async function contents(client: WireClient, from: { topicId: string; partition: number }): Promise<Buffer> {
  const batches: Buffer[] = []
  for await (const batch of batchesFrom(client, { ...from, offset: 0 })) batches.push(batch.bytes)
  return Buffer.concat(batches)
}

const values = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ value: Buffer.from(`${name}/${index}`.padEnd(80, '.')) }))

/** Fills 64 partitions, some by an idempotent producer, kills the broker, and looks at what lies on its disk. */
async function filled(
  broker: BrokerProcess,
): Promise<{ topicId: string; name: string; logs: Log[]; producerId: number; lastBatch: (partition: number) => Buffer }> {
  const client = await WireClient.connect(broker.bootstrap)
  const name = `torn-${randomUUID()}`
  const topicId = await createTopic(client, { name, partitions })
  const { producerId } = await client.call(initProducerIdApi, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    producerId: -1,
    producerEpoch: -1,
  })
  const batch = (round: number) => (partition: number) =>
    recordBatch(values(`${partition}/${round}`, 8), { producerId, producerEpoch: 0, baseSequence: round * 8 })
  for (let round = 0; round < 6; round++) await append64(client, { topicId, records: batch(round) })
  const bytes = await Promise.all(Array.from({ length: partitions }, (_, partition) => contents(client, { topicId, partition })))
  client.close()
  await broker.stop('SIGKILL')
  const logs = bytes.map((acknowledged, partition): Log => {
    const directory = join(broker.data, 'logs', `${topicId}-${partition}`)
    const onDisk = readFileSync(join(directory, segment))
    assert.ok(onDisk.subarray(0, acknowledged.length).equals(acknowledged), 'what is on disk is what was read')
    const endOffset = [...batchesIn(acknowledged)].at(-1)!.endOffset
    const next = recordBatch(values(`${partition}/next`, 100))
    new RecordBatch(next).stamp(endOffset, 0)
    return { directory, bytes: acknowledged, endOffset, next }
  })
  return { topicId, name, logs, producerId, lastBatch: batch(5) }
}

describe('a log whose end was torn by a crash', () => {
  test(`is read to its last acknowledged record, and goes on there, in ${restarts * partitions} variants`, async (context) => {
    context.diagnostic(`seed ${seed}`)
    const random = seeded(seed)
    const all = damages(random)
    let variants = 0
    const broker = await BrokerProcess.start()
    try {
      for (let restart = 0; restart < restarts; restart++) {
        const { topicId, logs, lastBatch } = await filled(broker)
        const inflicted = logs.map((log) => {
          const damage = all[variants++ % all.length]!
          damage.inflict(log)
          return damage
        })
        await broker.start()
        const client = await WireClient.connect(broker.bootstrap)
        const again = await append64(client, { topicId, records: lastBatch })
        const offsets = await append64(client, { topicId, records: (partition) => recordBatch(values(`${partition}/behind`, 1)) })
        for (const [partition, log] of logs.entries()) {
          const { what, mayEndAt } = inflicted[partition]!
          const about = `partition ${partition}: ${what}`
          const now = await contents(client, { topicId, partition })
          assert.ok(now.subarray(0, log.bytes.length).equals(log.bytes), `${about}: what was acknowledged is not what is read`)
          assert.equal(again[partition], log.endOffset - 8, `${about}: a batch that is sent again is at its old offset`)
          const end = offsets[partition]!
          assert.ok(
            end === log.endOffset || end === mayEndAt?.(log),
            `${about}: the next record is at ${end}, and the log ended at ${log.endOffset}`,
          )
        }
        client.close()
      }
      context.diagnostic(`${variants} variants of ${all.length} kinds`)
    } finally {
      await broker.dispose()
    }
  })

  test('and one that is damaged before its end is kept as it is, and neither shortened nor read', async () => {
    const broker = await BrokerProcess.start()
    try {
      const { topicId, name, logs } = await filled(broker)
      const { directory, bytes } = logs[0]!
      const second = [...batchesIn(bytes)][1]!
      const damaged = changed(
        readFileSync(join(directory, segment)),
        (copy) => (copy[second.bytes.byteOffset - bytes.byteOffset + 70]! ^= 1),
      )
      writeFileSync(join(directory, segment), damaged)
      await broker.start()
      const client = await WireClient.connect(broker.bootstrap)
      const { errorCode } = await fetchOnce(client, { topicId, partition: 0, offset: 8, maxWaitMs: 0 })
      assert.ok(
        ([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.LEADER_NOT_AVAILABLE] as number[]).includes(
          errorCode,
        ),
        `a fetch is answered with ${errorCode}`,
      )
      await assert.rejects(
        offsetAt(client, { topic: name, partition: 0, timestamp: -1 }),
        ErrorAnswer,
        'the end of the log is not known',
      )
      assert.ok((await contents(client, { topicId, partition: 1 })).equals(logs[1]!.bytes), 'other partitions are not harmed')
      client.close()
      await broker.stop()
      assert.ok(readFileSync(join(directory, segment)).equals(damaged), 'the file is as it was found')
    } finally {
      await broker.dispose()
    }
  })
})
