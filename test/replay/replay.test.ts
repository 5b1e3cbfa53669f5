import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, globSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { offsetCommitApi } from '../../broker/protocol/messages/offset-commit.ts'
import { offsetFetchApi } from '../../broker/protocol/messages/offset-fetch.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { recordBatch } from '../support/record-batches.ts'
import { createTopic, fetchOnce, offsetAt } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { assertRetriable, HistoryTopic, recordsPerBatch, type Replayed, replay } from './history-topic.ts'
import { historyBytes, localBytes, slowdownMax, windows, windowSeconds } from './settings.ts'

const MiB = 2 ** 20
const partitions = 4
const segmentBytes = 8 * MiB

const root = mkdtempSync(join(tmpdir(), 'longtail-replay-'))
const objects = join(root, 'objects')

function bytesOnDisk(topicId: string): number {
  return globSync(join(root, 'data', 'logs', `${topicId}-*`, '*.log')).reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
}

function rate({ bytes, seconds }: Replayed): string {
  return `${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s, ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`
}

async function commit(client: WireClient, at: { group: string; topicId: string; offsets: readonly number[] }): Promise<void> {
  const { topics } = await client.call(offsetCommitApi, {
    groupId: at.group,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    topics: [
      {
        topicId: at.topicId,
        name: '',
        partitions: at.offsets.map((committedOffset, partitionIndex) => ({
          partitionIndex,
          committedOffset,
          committedLeaderEpoch: -1,
          committedMetadata: null,
        })),
      },
    ],
  })
  for (const { errorCode } of topics[0]!.partitions) assert.equal(errorCode, ErrorCode.NONE)
}

async function committed(client: WireClient, at: { group: string; topicId: string }): Promise<number[]> {
  const { groups } = await client.call(offsetFetchApi, {
    groupId: '',
    topics: null,
    requireStable: false,
    groups: [
      {
        groupId: at.group,
        memberId: null,
        memberEpoch: -1,
        topics: [{ topicId: at.topicId, name: '', partitionIndexes: [...Array(partitions).keys()] }],
      },
    ],
  })
  assert.equal(groups[0]!.errorCode, ErrorCode.NONE)
  return groups[0]!.topics[0]!.partitions.toSorted((one, other) => one.partitionIndex - other.partitionIndex).map(
    ({ committedOffset }) => committedOffset,
  )
}

describe(`a history of ${historyBytes / MiB} MiB of which ${localBytes / MiB} MiB are kept locally`, () => {
  let broker: BrokerProcess
  let topic: HistoryTopic
  before(async () => {
    broker = await BrokerProcess.start({ data: join(root, 'data'), flags: ['--objects', `file:${objects}`] })
  })
  after(async () => {
    await broker.dispose()
    rmSync(root, { recursive: true, force: true })
  })
  const all = () => topic.written.map((_, partition) => partition)
  const replayAll = async (from: readonly number[], to = all().map((partition) => topic.end(partition))) => {
    const started = performance.now()
    const parts = await Promise.all(
      all().map((partition) => replay(broker.bootstrap, topic, { partition, start: from[partition]!, end: to[partition]! })),
    )
    return {
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      seconds: (performance.now() - started) / 1000,
      retried: new Map(parts.flatMap(({ retried }) => [...retried])),
    }
  }

  test("is written, and leaves the broker's disk", async (context) => {
    topic = await HistoryTopic.create(broker.bootstrap, { name: `history-${randomUUID()}`, partitions, localBytes, segmentBytes })
    const started = performance.now()
    await topic.write(broker.bootstrap, historyBytes)
    context.diagnostic(
      `written: ${rate({ bytes: historyBytes, seconds: (performance.now() - started) / 1000, retried: new Map() })}`,
    )
    // What is kept is whole segments, and the one that is written to is not counted.
    const most = localBytes + partitions * 2 * segmentBytes
    for (const deadline = performance.now() + 180_000; bytesOnDisk(topic.topicId) > most; await sleep(250)) {
      assert.ok(performance.now() < deadline, `${(bytesOnDisk(topic.topicId) / MiB).toFixed(0)} MiB are still on the disk`)
    }
    context.diagnostic(
      `${(bytesOnDisk(topic.topicId) / MiB).toFixed(0)} MiB on the disk after ${((performance.now() - started) / 1000).toFixed(0)} s`,
    )
    const client = await WireClient.connect(broker.bootstrap)
    for (const partition of all()) {
      assert.equal(
        await offsetAt(client, { topic: topic.name, partition, timestamp: -2 }),
        0,
        'the log still starts at its first record',
      )
      assert.equal(await offsetAt(client, { topic: topic.name, partition, timestamp: -1 }), topic.end(partition))
      assert.ok(
        (await offsetAt(client, { topic: topic.name, partition, timestamp: -4 })) > topic.end(partition) / 4,
        'the local log starts later',
      )
      assert.ok((await offsetAt(client, { topic: topic.name, partition, timestamp: -5 })) > topic.end(partition) / 2)
    }
    client.close()
  })

  test('cannot be read while the object store is away, which clients are told so that they try again; and what is hot goes on', async (context) => {
    const away = `${objects}.away`
    renameSync(objects, away)
    const client = await WireClient.connect(broker.bootstrap)
    const hot = `hot-${randomUUID()}`
    const hotId = await createTopic(client, { name: hot, partitions: 1 })
    let [errors, produced] = [0, 0]
    for (const deadline = performance.now() + 8000; performance.now() < deadline;) {
      for (const partition of all()) {
        const cold = await fetchOnce(client, { topicId: topic.topicId, partition, offset: recordsPerBatch * 3, maxWaitMs: 200 })
        if (cold.errorCode !== ErrorCode.NONE) {
          assertRetriable(cold, { partition, offset: recordsPerBatch * 3 })
          errors++
        } else assert.equal(cold.records.length, 0, 'nothing can be read from a store that is not there')
        assert.equal(await offsetAt(client, { topic: topic.name, partition, timestamp: -2 }), 0, 'the log start does not move')
      }
      const sent = await client.call(produceApi, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [
          { topicId: hotId, name: '', partitionData: [{ index: 0, records: [recordBatch([{ value: Buffer.from('hot') }])] }] },
        ],
      })
      assert.equal(sent.responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
      const read = await fetchOnce(client, { topicId: hotId, partition: 0, offset: produced++ })
      assert.ok(read.errorCode === ErrorCode.NONE && read.records.length > 0, 'what is hot is read')
    }
    assert.ok(errors > 0, 'clients are told')
    assert.ok(!existsSync(objects) || globSync(join(objects, '**/*-*')).length === 0, 'nothing is made in its place')
    rmSync(objects, { recursive: true, force: true })
    renameSync(away, objects)
    for (const deadline = performance.now() + 60_000; ; await sleep(100)) {
      const { errorCode, records } = await fetchOnce(client, {
        topicId: topic.topicId,
        partition: 0,
        offset: recordsPerBatch * 3,
      })
      if (errorCode === ErrorCode.NONE && records.length > 0) break
      assert.ok(performance.now() < deadline, `still error ${errorCode} a minute after the store came back`)
    }
    client.close()
    context.diagnostic(`${errors} retriable errors, ${produced} hot records meanwhile`)
  })

  test('is read by a new group from its first record to its last, byte for byte', async (context) => {
    const read = await replayAll(all().map(() => 0))
    assert.ok(read.bytes > historyBytes)
    context.diagnostic(`read: ${rate(read)}`)
  })

  test('is read from a time in its middle', async (context) => {
    const client = await WireClient.connect(broker.bootstrap)
    const starts: number[] = []
    for (const partition of all()) {
      const middle = topic.written[partition]![topic.written[partition]!.length >> 1]!
      starts.push(await offsetAt(client, { topic: topic.name, partition, timestamp: middle.timestamp }))
      assert.equal(starts[partition], middle.baseOffset, `partition ${partition}`)
      assert.equal(
        await offsetAt(client, { topic: topic.name, partition, timestamp: middle.timestamp - 1 }),
        middle.baseOffset,
        'the first record that is not older',
      )
    }
    client.close()
    context.diagnostic(`read: ${rate(await replayAll(starts))}`)
  })

  test('is read by a group over a crash and a restart of the broker in between', async (context) => {
    const group = `replay-${randomUUID()}`
    const middle = all().map((partition) => (topic.written[partition]!.length >> 1) * recordsPerBatch)
    await replayAll(
      all().map(() => 0),
      middle,
    )
    const client = await WireClient.connect(broker.bootstrap)
    await commit(client, { group, topicId: topic.topicId, offsets: middle })
    client.close()
    const interrupted = replayAll(middle).catch(() => 'interrupted' as const)
    await sleep(300)
    await broker.stop('SIGKILL')
    await interrupted
    await broker.start()
    const again = await WireClient.connect(broker.bootstrap)
    const from = await committed(again, { group, topicId: topic.topicId })
    again.close()
    assert.deepEqual(from, middle)
    context.diagnostic(`read after the restart: ${rate(await replayAll(from))}`)
  })

  test(`does not slow producers down when eight consumers read it: at the 99th percentile to at most ${slowdownMax} of the time without`, async (context) => {
    const client = await WireClient.connect(broker.bootstrap)
    const topicId = await createTopic(client, { name: `timed-${randomUUID()}`, partitions: 1 })
    client.close()
    const producer = startProducer(broker.bootstrap, topicId)
    context.after(() => producer.stop())
    const [without, during]: [number[], number[]] = [[], []]
    await producer.percentile99(2)
    let replayed = 0
    // Short windows in turn, and their medians: a disk that others use as well is slow for seconds at a time.
    for (let window = 0; window < windows; window++) {
      without.push(await producer.percentile99(windowSeconds))
      const readers = startReaders(broker.bootstrap, topic)
      await sleep(1500)
      const before = readers.bytes()
      during.push(await producer.percentile99(windowSeconds))
      replayed += readers.bytes() - before
      readers.stop()
      await sleep(500)
    }
    const [alone, together] = [median(without), median(during)]
    const shown = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ')
    context.diagnostic(
      `p99 of produce: without ${shown(without)} ms, with ${shown(during)} ms; ratio of medians ${(together / alone).toFixed(2)}; ` +
        `readers had ${(replayed / 1e6 / (windows * windowSeconds)).toFixed(0)} MB/s`,
    )
    assert.ok(replayed > 0, 'the readers read nothing')
    assert.ok(together <= alone * slowdownMax, `${together.toFixed(2)} ms against ${alone.toFixed(2)} ms`)
  })
})

interface TimedProducer {
  /** Writes for so many seconds, and resolves with the 99th percentile of its requests in milliseconds. */
  percentile99(seconds: number): Promise<number>
  stop(): void
}

function startProducer(bootstrap: string, topicId: string): TimedProducer {
  const script = fileURLToPath(new URL('timed-producer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, bootstrap, topicId], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async percentile99(seconds) {
      child.stdin.write(`${seconds}\n`)
      const { value, done } = await answers.next()
      assert.ok(done !== true, 'the producer ended')
      return Number(value)
    },
    stop: () => void child.kill('SIGKILL'),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1]!
}

function startReaders(bootstrap: string, topic: HistoryTopic): { bytes(): number; stop(): void } {
  const script = fileURLToPath(new URL('cold-readers.ts', import.meta.url))
  // Only what is cold: the last quarter may be on the broker's disk.
  const end = Math.floor(topic.written[0]!.length * 0.75) * recordsPerBatch
  const child = spawn(process.execPath, [script, bootstrap, topic.topicId, String(partitions), String(end)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let last = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => (last = Number(text.trim().split('\n').at(-1))))
  return { bytes: () => last, stop: () => void child.kill('SIGKILL') }
}
