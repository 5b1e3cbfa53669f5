// What a follower asks its leader for, in which order, and when it gives the memory of an answer back. The leader is this test:
// it sees each request, and answers it when it likes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { apiVersionsApi } from '../../broker/protocol/messages/api-versions.ts'
import { CopyThrottle } from '../../broker/replication/copy-throttle.ts'
import { Partition } from '../../broker/replication/partition.ts'
import { type BrokerConnection, ReplicaFetcher } from '../../broker/replication/replica-fetcher.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Disk } from '../../broker/runtime/disk.ts'
import { LogWorld } from '../log/log-world.ts'
import { aBatch } from '../support/a-batch.ts'

const limits = {
  waitMsMax: 500, silenceMsMax: 2_000, responseBytesMax: 1 << 20, partitionBytesMax: 1 << 20, retryMs: 50, retryMsMax: 2_000,
}

interface Asked {
  /** Topics in the order of the request, each with the offset that is asked for. */
  readonly wanted: readonly (readonly [topicId: string, offset: number])[]
  /** By topic: records. A topic that is not named has nothing. */
  answer(records: Readonly<Record<string, Buffer>>, logStarts?: Readonly<Record<string, number>>): void
  isReleased(): boolean
}

/** For one life: what is under way fails when it is closed. */
function connection(onAsked: (asked: Asked) => void, { isHeard = true } = {}): BrokerConnection {
  const closed = Promise.withResolvers<never>()
  closed.promise.catch(() => {})
  return {
    call: (api: unknown, { request }: { readonly request: FetchRequest }) => {
      if (api === apiVersionsApi) return isHeard ? Promise.resolve({ release() {} }) : closed.promise
      const answered = Promise.withResolvers<unknown>()
      let isReleased = false
      onAsked({
        wanted: request.topics.map(({ topicId, partitions }) => [topicId, partitions[0]!.fetchOffset] as const),
        answer: (records, logStarts) => answered.resolve({
          response: responseTo(request, records, logStarts), release: () => { isReleased = true },
        }),
        isReleased: () => isReleased,
      })
      return Promise.race([answered.promise, closed.promise])
    },
    close: () => closed.reject(new Error('closed')),
  } as unknown as BrokerConnection
}

function world(...topicIds: string[]) {
  return throttledWorld({ bytesPerSecond: 2 ** 63, throttled: [] }, topicIds)
}

async function throttledWorld(
  { bytesPerSecond, throttled }: { readonly bytesPerSecond: number; readonly throttled: readonly string[] }, topicIds: readonly string[],
) {
  const { clock } = new LogWorld()
  const throttle = new CopyThrottle({
    clock, bytesPerSecond: () => bytesPerSecond, concerns: ({ topicId }) => throttled.includes(topicId),
  })
  const asked: Asked[] = []
  const fetcher = new ReplicaFetcher({
    clock, limits, throttle, leader: 2, self: { brokerId: 1, brokerEpoch: () => 7 }, onSilence() {}, rejoin: () => Promise.resolve(),
    onFault: ({ topicId }, what) => faults.push(`${topicId}: ${what}`),
    connect: () => Promise.resolve(connection((one) => asked.push(one))),
  })
  const partitions = new Map<string, Partition>()
  const disks = new Map<string, LogWorld['disk']>()
  const removals = new Removals()
  const faults: string[] = []
  for (const topicId of topicIds) {
    const world = new LogWorld({}, { segmentBytes: 1 })
    disks.set(topicId, world.disk)
    const log = await world.open({ topicId, clock, directory: `/data/${topicId}`, disk: removals.on(world.disk.mount()) })
    const partition = await aFollower(topicId, { log, clock })
    partitions.set(topicId, partition)
    fetcher.add(partition, 3)
  }
  /** The next request that asks for so many partitions; those before it were given up when one more had begun. */
  const request = async (count = topicIds.length): Promise<Asked> => {
    for (let turns = 0; turns < 200; turns++) {
      const found = asked.shift()
      if (found?.wanted.length === count) return found
      if (found === undefined) await clock.advance(1)
    }
    assert.fail(`nobody asked for ${count} partitions`)
  }
  return { fetcher, partitions, disks, removals, faults, request, clock }
}

/** Files of these paths go only once the test lets them. */
class Removals {
  readonly held = new Map<string, PromiseWithResolvers<void>>()
  of: (path: string) => boolean = () => false

  on(disk: Disk): Disk {
    return new Proxy(disk, {
      get: (_disk, name: keyof Disk) => name !== 'remove' ? disk[name].bind(disk) : async (path: string) => {
        if (this.of(path)) {
          const held = Promise.withResolvers<void>()
          this.held.set(path, held)
          await held.promise
        }
        return disk.remove(path)
      },
    })
  }
}

interface FetchRequest {
  readonly topics: readonly { readonly topicId: string; readonly partitions: readonly { readonly fetchOffset: number }[] }[]
}

function responseTo(
  { topics }: FetchRequest, records: Readonly<Record<string, Buffer>>, logStarts: Readonly<Record<string, number>> = {},
) {
  const none = { epoch: -1, endOffset: -1 }
  return {
    errorCode: ErrorCode.NONE,
    responses: topics.map(({ topicId }) => ({
      topicId, partitions: [{
        partitionIndex: 0, errorCode: ErrorCode.NONE, highWatermark: 0, logStartOffset: logStarts[topicId] ?? 0, divergingEpoch: none,
        records: records[topicId] ?? null,
      }],
    })),
  }
}

async function aFollower(topicId: string, { log, clock }: { readonly log: PartitionLog; readonly clock: Clock }): Promise<Partition> {
  const partition = new Partition({
    topicId, topicName: topicId, partition: 0, log, brokerId: 1, onOutOfSync() {}, onRole() {},
    around: { clock, minIsr: () => 1, lagMsMax: () => 10_000, isAlive: () => true, hasSession: () => true },
  })
  await partition.assume({ partition: 0, leader: 2, leaderEpoch: 3, partitionEpoch: 0, replicas: [1, 2], isr: [1, 2], elr: [] })
  return partition
}

const batch = (baseOffset: number) => aBatch({ baseOffset, leaderEpoch: 3 })

test('a partition that got records comes last in the next request, so that one that is far behind leaves room to the others', async () => {
  const { fetcher, request } = await world('one', 'two', 'three')
  const first = await request()
  assert.deepEqual(first.wanted, [['one', 0], ['two', 0], ['three', 0]])
  first.answer({ one: batch(0) })
  const second = await request()
  assert.deepEqual(second.wanted, [['two', 0], ['three', 0], ['one', 1]])
  second.answer({ two: batch(0), three: batch(0) })
  assert.deepEqual((await request()).wanted, [['one', 1], ['two', 1], ['three', 1]])
  void fetcher.stop()
})

test('the memory of an answer is given back once all of it is in the log', async () => {
  const { fetcher, request, partitions } = await world('one', 'two')
  const first = await request()
  first.answer({ one: batch(0), two: batch(0) })
  await request()
  assert.equal(partitions.get('one')!.log.durableEndOffset, 1)
  assert.equal(first.isReleased(), true)
  void fetcher.stop()
})

test('the memory of an answer of which a part was refused is kept: the rest of it may still be on its way to the disk', async () => {
  const { fetcher, request } = await world('one', 'two')
  const first = await request()
  first.answer({ one: batch(0), two: Buffer.concat([batch(0), batch(5)]) })
  assert.deepEqual((await request(1)).wanted, [['one', 1]])
  assert.equal(first.isReleased(), false)
  void fetcher.stop()
})

test('a partition whose log has stopped is not asked for: its end would say that it has what its disk did not keep', async () => {
  const { fetcher, request, disks, partitions } = await world('one', 'two')
  disks.get('one')!.fault = ({ kind }) => (kind === 'sync' ? 'EIO' : undefined)
  const first = await request()
  first.answer({ one: batch(0), two: batch(0) })
  assert.deepEqual((await request(1)).wanted, [['two', 1]])
  assert.equal(partitions.get('one')!.log.isStopped, true)
  await assert.rejects(request(2), /nobody asked for 2 partitions/)
  void fetcher.stop()
})

test('a copy that is throttled is not asked for until its bytes are paid for, and others are meanwhile', async () => {
  // A second's worth may be taken at once, and as much again is owed.
  const bytesPerSecond = batch(0).length / 2
  const { fetcher, request, clock } = await throttledWorld({ bytesPerSecond: Math.floor(bytesPerSecond), throttled: ['one'] }, ['one', 'two'])
  const first = await request()
  first.answer({ one: batch(0) })
  const second = await request(1)
  assert.deepEqual(second.wanted, [['two', 0]])
  second.answer({ two: batch(0) })
  const third = await request(1)
  assert.deepEqual(third.wanted, [['two', 1]])
  await clock.advance(1_000)
  third.answer({})
  assert.deepEqual((await request()).wanted, [['one', 1], ['two', 1]])
  void fetcher.stop()
})

test('a leader that is not heard is not fetched from, or it would wait for who cannot copy', async () => {
  const log = new LogWorld()
  const { clock } = log
  const asked: Asked[] = []
  const fetcher = new ReplicaFetcher({
    clock, limits, leader: 2, self: { brokerId: 1, brokerEpoch: () => 7 }, onSilence() {}, onFault() {}, rejoin: () => Promise.resolve(),
    connect: () => Promise.resolve(connection((one) => asked.push(one), { isHeard: false })),
  })
  fetcher.add(await aFollower('a', { log: await log.open({ topicId: 'a', clock, directory: '/data/a' }), clock }), 3)
  await clock.advance(5_000)
  assert.equal(asked.length, 0)
  await fetcher.stop()
})

test('what the leader has deleted is deleted beside the copying: a disk that is slow at it holds up no fetch, of this or of another partition', async () => {
  const { fetcher, request, partitions, removals, clock } = await world('one', 'two')
  removals.of = (path) => path.startsWith('/data/one/')
  for (const offset of [0, 1, 2]) (await request()).answer({ one: batch(offset), two: batch(offset) })
  ;(await request()).answer({}, { one: 2, two: 2 })
  const next = await request()
  assert.deepEqual(next.wanted, [['one', 3], ['two', 3]])
  next.answer({ one: batch(3), two: batch(3) }, { one: 3, two: 3 })
  assert.deepEqual((await request()).wanted, [['one', 4], ['two', 4]])
  await clock.advance(10)
  const { log } = partitions.get('one')!
  assert.deepEqual([log.logStartOffset, partitions.get('two')!.log.logStartOffset], [2, 3], 'one deletion at a time')
  assert.deepEqual([...removals.held.keys()], ['/data/one/00000000000000000000.log'])
  removals.of = () => false
  for (const { resolve } of removals.held.values()) resolve()
  await clock.advance(1_000)
  void fetcher.stop()
})

test('a deletion that fails is told, and tried again after a while with the next answer', async () => {
  const { fetcher, request, partitions, disks, faults, clock } = await world('one')
  const { log } = partitions.get('one')!
  for (const offset of [0, 1]) (await request()).answer({ one: batch(offset) })
  disks.get('one')!.fault = ({ path, kind }) => (path.includes('checkpoint') && kind !== 'read' ? 'EIO' : undefined)
  for (let answers = 0; answers < 3; answers++) (await request()).answer({}, { one: 1 })
  await clock.advance(10)
  assert.deepEqual([log.logStartOffset, faults], [0, ['one: what the leader has deleted could not be deleted']])
  disks.get('one')!.fault = () => undefined
  await clock.advance(limits.retryMsMax)
  ;(await request()).answer({}, { one: 1 })
  await request()
  await clock.advance(10)
  assert.equal(log.logStartOffset, 1)
  void fetcher.stop()
})
