import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyImage, fold, type Image } from '../../broker/cluster/image.ts'
import type { Decision, MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { Housekeeping } from '../../broker/housekeeping.ts'
import { limits } from '../../broker/limits.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import type { Partitions } from '../../broker/replication/partitions.ts'
import { type Clock, sleep } from '../../broker/runtime/clock.ts'
import type { Logger } from '../../broker/runtime/logger.ts'
import type { Random } from '../../broker/runtime/random.ts'
import { Tier } from '../../broker/tier/tier.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import type { TierIo } from '../../broker/tier/tier-io.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'

const everyMs = limits.partitions.housekeepingEveryMs

interface Told {
  readonly count: number
  readonly hanging: number
  readonly unpurged?: readonly string[]
  /** In place of one that marks and sweeps at once. */
  tierOf?(clock: Clock): Tier
  reopen?(): Promise<void>
}

/** A broker of so many partitions, of which the first few hang when they are looked at. */
function world({ count, hanging, unpurged = [], tierOf, reopen = async () => {} }: Told) {
  const clock = new ManualClock()
  const partitions = Array.from({ length: count }, (_, partition) => ({ topicName: 't', partition }) as unknown as Partition)
  const seen = { tidied: new Map<number, number>(), gaveUp: 0, swept: 0, marked: [] as string[], warnings: [] as unknown[] }
  let image = fold(emptyImage, 1, unpurged.flatMap((topicId) => [{ type: 'topicCreated', topicId, name: topicId }, newPartition(topicId, 0, [1])]))
  image = fold(image, 2, unpurged.map((topicId) => ({ type: 'topicDeleted', topicId })))
  const metadata = {
    get image() { return image },
    async change<T>(decide: (seen: Image) => Decision<T>) {
      const { records, answer } = decide(image)
      image = fold(image, image.sequence + 1, records)
      return answer
    },
  } as unknown as MetadataLog
  const disks = Array.from({ length: hanging }, () => Promise.withResolvers<void>())
  const housekeeping = new Housekeeping({
    clock,
    logger: { warn: (_what: unknown, message: string) => seen.warnings.push(message) } as unknown as Logger,
    metadata,
    partitions: Object.assign(partitions, { reopen, brokenness: () => undefined }) as unknown as Partitions,
    store: {
      async tidy({ partition }) {
        seen.tidied.set(partition, (seen.tidied.get(partition) ?? 0) + 1)
        await disks[partition]?.promise
      },
    },
    tier: tierOf?.(clock) ?? {
      async deleteTopic({ topicId }) {
        if (topicId === 'stuck') throw new Error('away')
        seen.marked.push(topicId)
      },
      sweepDeletedTopics: async () => ++seen.swept,
    },
    member: { giveUp: async () => void seen.gaveUp++ },
  })
  return { clock, housekeeping, seen, disks, metadata }
}

test('a partition whose disk hangs holds up neither others nor what else is to be done, and is not looked at twice at once', async () => {
  const { clock, housekeeping, seen, disks } = world({ count: 3, hanging: 1 })
  await clock.advance(5 * everyMs)
  assert.deepEqual([...seen.tidied], [[0, 1], [1, 6], [2, 6]])
  assert.equal(seen.gaveUp, 6)
  disks[0]!.resolve()
  await clock.advance(everyMs)
  assert.deepEqual([...seen.tidied], [[0, 2], [1, 7], [2, 7]])
  await housekeeping.stop()
})

test('no more are looked at at once than the limit says, and each has its turn before any has another one', async () => {
  const { tidiedMax } = limits.partitions
  const { clock, housekeeping, seen, disks } = world({ count: tidiedMax + 2, hanging: tidiedMax })
  await clock.advance(3 * everyMs)
  assert.equal(seen.tidied.size, tidiedMax)
  disks[3]!.resolve()
  await clock.advance(0)
  assert.deepEqual([...seen.tidied.values()].filter((times) => times !== 1), [])
  assert.equal(seen.tidied.size, tidiedMax + 2)
  for (const { resolve } of disks) resolve()
  await clock.advance(everyMs)
  assert.equal(seen.tidied.get(0), 2)
  await housekeeping.stop()
})

test('one that fails is told, and has its turn again', async () => {
  const { clock, housekeeping, seen, disks } = world({ count: 2, hanging: 1 })
  disks[0]!.reject(new Error('the disk is gone'))
  await clock.advance(2 * everyMs)
  assert.deepEqual([...seen.tidied], [[0, 3], [1, 3]])
  assert.deepEqual(new Set(seen.warnings), new Set(['a partition could not be tidied']))
  await housekeeping.stop()
})

test('stopping waits for who is being looked at, and begins no more', async () => {
  const { clock, housekeeping, seen, disks } = world({ count: limits.partitions.tidiedMax + 1, hanging: limits.partitions.tidiedMax })
  await clock.advance(0)
  let isStopped = false
  const stopping = housekeeping.stop().then(() => { isStopped = true })
  for (const { resolve } of disks.slice(1)) resolve()
  await clock.advance(everyMs)
  assert.deepEqual([isStopped, seen.tidied.size], [false, limits.partitions.tidiedMax])
  disks[0]!.resolve()
  await stopping
})

test('a deleted topic that cannot be marked for the object store keeps no other from being marked, nor what is marked from being swept', async () => {
  const { clock, housekeeping, seen, metadata } = world({ count: 0, hanging: 0, unpurged: ['one', 'stuck', 'two'] })
  await clock.advance(2 * everyMs)
  assert.deepEqual([seen.marked, seen.swept], [['one', 'two'], 1])
  assert.deepEqual([...metadata.image.unpurged.keys()], ['stuck'])
  await clock.advance(2 * limits.tier.sweepEveryMs)
  assert.equal(seen.swept, 3)
  await housekeeping.stop()
})

test('partitions that take long to be opened again hold up nothing else, and are not opened twice at once', async () => {
  const { reopenEveryMs } = limits.partitions
  const opening = Promise.withResolvers<void>()
  let reopened = 0
  const { clock, housekeeping, seen } = world({ count: 1, hanging: 0, reopen: () => (++reopened, opening.promise) })
  await clock.advance(2 * reopenEveryMs)
  const rounds = 1 + 2 * reopenEveryMs / everyMs
  assert.deepEqual([reopened, seen.gaveUp, seen.tidied.get(0)], [1, rounds, rounds])
  opening.resolve()
  await clock.advance(everyMs)
  assert.equal(reopened, 2)
  await housekeeping.stop()
})

test('stopping does not wait for partitions that are opened again: whoever closes them does', async () => {
  const { clock, housekeeping } = world({ count: 0, hanging: 0, reopen: () => new Promise<never>(() => {}) })
  await clock.advance(2 * limits.partitions.reopenEveryMs)
  await housekeeping.stop()
})

/** Milliseconds that a store which is away takes to say so. */
const awayMs = 35_000

/** A tier in whose table three deleted topics of two partitions are due, and whose object store is away. Closed ports throw. */
async function awayTier() {
  const table = new MemoryTable()
  const seen = { asked: 0, askedWhenClosed: 0, isClosed: false }
  for (const sort of ['a', 'b', 'c']) {
    const value = { partitions: 2, requestedAt: 0, finishedAt: null }
    await table.commit([{ kind: 'put', key: { partition: 'tier-deleted-topics', sort }, value, expect: 'absent' }])
  }
  const tierOf = (clock: Clock) => new Tier({
    clock, random: {} as Random, table, clusterId: 'test-cluster', onEvent() {},
    io: {
      async listObjects() {
        seen.asked++
        if (seen.isClosed) seen.askedWhenClosed++
        await sleep(clock, awayMs)
        throw new TierError('away', 'the store is away')
      },
    } as unknown as TierIo,
  })
  const close = async () => {
    seen.isClosed = true
    await table.close()
  }
  return { tierOf, seen, close }
}

test('stopping does not wait for a store that is away, and no deletion is gone on with afterwards', async () => {
  const { tierOf, seen, close } = await awayTier()
  const { clock, housekeeping, seen: { warnings } } = world({ count: 0, hanging: 0, tierOf })
  await clock.advance(awayMs / 2)
  assert.equal(seen.asked, 1)
  let isStopped = false
  void housekeeping.stop().then(() => { isStopped = true })
  await clock.advance(0)
  assert.equal(isStopped, true)
  await close()
  await clock.advance(10 * awayMs)
  assert.deepEqual([seen.asked, seen.askedWhenClosed, warnings], [1, 0, []])
})
