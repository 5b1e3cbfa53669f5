// The real log and the real partition over the tier: what a client reads is the same whichever tier has it.

import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import { markerIn, markerBatch } from '../../broker/log/marker.ts'
import { PartitionLog } from '../../broker/log/partition-log.ts'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import type { ColdTier } from '../../broker/replication/cold-tier.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import type { ReadRequest } from '../../broker/replication/partition-read.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'
import { ColdTierView } from '../../broker/tier/cold-tier-view.ts'
import { InProcessTierIo } from '../../broker/tier/in-process-tier-io.ts'
import { logSource } from '../../broker/tier/log-source.ts'
import type { TierEvent } from '../../broker/tier/tier-events.ts'
import { tierIoLimits } from '../../broker/tier/tier-io.ts'
import type { TierConfig } from '../../broker/tier/tier-source.ts'
import { Tier } from '../../broker/tier/tier.ts'
import type { TieredPartition } from '../../broker/tier/tiered-partition.ts'
import { directory, LogWorld, topicId } from '../log/log-world.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { aLeadingPartition } from '../support/a-leading-partition.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { TroubledStore } from './troubled-store.ts'

const evictAll: TierConfig = {
  isUploadEnabled: true, isDeleteEnabled: true, retentionMs: -1, retentionBytes: -1, localRetentionMs: -2, localRetentionBytes: 0,
}

/** A partition whose log, tier and everything below are in memory, on one clock. */
class PartitionWorld {
  readonly log = new LogWorld({}, { segmentBytes: 1500, isTiered: true, indexIntervalBytes: 256 })
  readonly store = new TroubledStore()
  readonly table = new MemoryTable()
  readonly events: TierEvent[] = []
  readonly faults: unknown[] = []
  config = evictAll
  leaderEpoch = 0

  async lead(): Promise<{ partition: Partition; tiered: TieredPartition }> {
    const { clock } = this.log
    // One mount for both: the next one would be another process's.
    const disk = this.log.disk.mount()
    const log = await PartitionLog.open({
      disk, clock, directory, topicId, partition: 0, config: () => this.log.config, isSynced: true, hot: new HotBudget(0),
      pool: new BufferPool(1 << 20), openBatch: (batch) => recordsOf(batch, { bytesMax: 1 << 24 }), keyless: () => [],
      onFault: (cause) => this.faults.push(cause),
    })
    const partition = await aLeadingPartition({ topicId, log, clock, leaderEpoch: ++this.leaderEpoch })
    const small = { blockBytes: 512, checksumBytes: 128, indexIntervalBytes: 128, blockFileBytesMax: 0, failureHoldMs: 0 }
    const limits = { ...tierIoLimits, ...small }
    const io = await InProcessTierIo.open({
      store: this.store, disk, clock, limits, cacheDirectory: '/cache', recordsOf, onFault: (doing) => this.faults.push(doing),
    })
    const tier = new Tier({
      clock, random: new SeededRandom(this.leaderEpoch), table: this.table, io, clusterId: 'c',
      onEvent: (event) => this.events.push(event),
    })
    const tiered = tier.open(logSource({
      log, topicId, topicName: 'orders', partition: 0, leaderEpoch: partition.leaderEpoch, isFollower: false,
      highWatermark: () => partition.highWatermark, config: () => this.config,
    }))
    // The views fit although neither folder knows the other.
    partition.tier = new ColdTierView(tiered, (error) => this.faults.push(error)) satisfies ColdTier
    return { partition, tiered }
  }

  /** Goes on until all that is sealed is in the tier and, where the settings say so, nowhere else. */
  async settle({ partition, tiered }: { partition: Partition; tiered: TieredPartition }): Promise<void> {
    for (let turns = 0; turns < 200; turns++) {
      await tiered.tick(this.log.clock.now())
      await this.log.clock.advance(10)
      if (tiered.isReady && partition.log.sealedSegments().length === 0) return
    }
    assert.fail(`not all is in the tier: ${JSON.stringify(this.events.slice(-3))}`)
  }
}

/** Reads to the end as a consumer does. */
async function consume(world: PartitionWorld, partition: Partition, options: Partial<ReadRequest> = {}) {
  const batches: Buffer[] = []
  const aborted = new Set<string>()
  const { offset: start = 0, isCommittedOnly = false } = options
  const end = () => (isCommittedOnly ? partition.lastStableOffset : partition.highWatermark)
  for (let offset = start, fetches = 0; offset < end(); fetches++) {
    assert.ok(fetches < 5000, `reading stands at ${offset}`)
    const reading = Promise.resolve(partition.read({
      bytesMax: 700, minOneBatch: true, isCommittedOnly, currentLeaderEpoch: -1, lastFetchedEpoch: -1,
      ...options, offset, deadline: world.log.clock.monotonic() + 500,
    }))
    const read = await Promise.race([reading, world.log.clock.advance(1).then(() => reading)])
    assert.equal(read.errorCode, ErrorCode.NONE)
    for (const { producerId, firstOffset } of read.aborted ?? []) aborted.add(`${producerId}@${firstOffset}`)
    for (const buffer of read.buffers) for (const { bytes } of batchesIn(buffer)) batches.push(Buffer.from(bytes))
    read.release()
    const [last] = batchesIn(batches.at(-1) ?? Buffer.alloc(0))
    offset = Math.max(offset, last?.endOffset ?? 0)
  }
  return { bytes: Buffer.concat(batches), aborted: [...aborted].sort() }
}

async function produce(partition: Partition, seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const sequences = new Map<number, number>()
  for (let count = 0; count < 120; count++) {
    const producerId = Math.floor(random.fraction() * 4)
    const baseSequence = sequences.get(producerId) ?? 0
    const records = 1 + Math.floor(random.fraction() * 4)
    const timestamp = aMoment + Math.floor(random.fraction() * 1000)
    const made = producerId === 0
      ? aBatch({ records, timestamp, fill: count })
      : aBatch({ records, timestamp, fill: count, producerId: 10 * seed + producerId, producerEpoch: 0, baseSequence })
    const { errorCode, errorMessage } = await partition.append(made, { acks: -1, timeoutMs: 1000 })
    assert.equal(errorCode, ErrorCode.NONE, errorMessage)
    sequences.set(producerId, baseSequence + records)
  }
  await partition.log.roll()
}

suite('a partition over both tiers', () => {
  test('reads the same from disk, from the tier and across both, committed or not, also after a restart', async () => {
    for (const seed of [1, 2, 3]) {
      const world = new PartitionWorld()
      world.config = { ...evictAll, localRetentionBytes: -1 }
      const first = await world.lead()
      await produce(first.partition, seed)
      const local = await consume(world, first.partition)
      const committed = await consume(world, first.partition, { isCommittedOnly: true })
      const times = [0, 100, 500, 900, 999].map((ms) => aMoment + ms)
      const found = await Promise.all(times.map((time) => first.partition.offsetForTimestamp(time, Infinity)))
      const largest = await first.partition.maxTimestamp(Infinity)

      world.config = evictAll
      await world.settle(first)
      assert.equal(first.partition.log.localStartOffset, first.partition.highWatermark)
      await produce(first.partition, seed + 100)
      const all = await consume(world, first.partition)
      assert.ok(all.bytes.subarray(0, local.bytes.length).equals(local.bytes), 'from the tier')
      const again = await consume(world, first.partition, { isCommittedOnly: true })
      for (const one of committed.aborted) assert.ok(again.aborted.includes(one), one)
      assert.deepEqual(await Promise.all(times.map(async (time) => {
        const one = await first.partition.offsetForTimestamp(time, first.partition.highWatermark)
        return one && one !== 'unavailable' && { offset: one.offset, timestamp: one.timestamp }
      })), found)
      const most = await first.partition.maxTimestamp(Infinity)
      assert.ok(most && most !== 'unavailable' && largest && largest !== 'unavailable' && most.timestamp >= largest.timestamp)

      await first.tiered.close()
      await first.partition.log.close()
      const second = await world.lead()
      await world.settle(second)
      const after = await consume(world, second.partition)
      assert.ok(after.bytes.equals(all.bytes), 'after a restart')
      assert.deepEqual((await consume(world, second.partition, { isCommittedOnly: true })).aborted, again.aborted)
      assert.deepEqual(world.faults, [])
    }
  })

  test('while the store is away what is only there is unavailable, and what is on disk is read', async () => {
    const world = new PartitionWorld()
    const led = await world.lead()
    await produce(led.partition, 7)
    await world.settle(led)
    await produce(led.partition, 8)
    world.store.before = () => TroubledStore.away()
    const at = (offset: number) => led.partition.read({
      offset, bytesMax: 700, minOneBatch: true, isCommittedOnly: false, currentLeaderEpoch: -1, lastFetchedEpoch: -1,
      deadline: world.log.clock.monotonic() + 500,
    })
    assert.equal((await at(0)).errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
    assert.equal((await at(led.partition.log.localStartOffset)).errorCode, ErrorCode.NONE)
    assert.equal(await led.partition.offsetForTimestamp(aMoment, Infinity), 'unavailable')
    world.store.before = () => {}
    assert.equal((await at(0)).errorCode, ErrorCode.NONE)
  })

  test('records deleted on request are gone from both tiers, for the next leader too', async () => {
    const world = new PartitionWorld()
    const led = await world.lead()
    await produce(led.partition, 9)
    await world.settle(led)
    assert.deepEqual(await led.partition.deleteRecords(50), { logStartOffset: 50 })
    const rest = await consume(world, led.partition, { offset: 50 })
    await led.tiered.close()
    await led.partition.log.close()
    const next = await world.lead()
    await world.settle(next)
    assert.equal(next.partition.logStartOffset, 50)
    assert.ok((await consume(world, next.partition, { offset: 50 })).bytes.equals(rest.bytes))
  })

  test('what consumers of committed records see is the same at every seam between disk and tier', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const world = new PartitionWorld()
      world.config = { ...evictAll, localRetentionBytes: -1 }
      let led = await world.lead()
      const kept = await produceTransactions(led.partition, seed)
      const { partition: { log } } = led
      const stable = led.partition.lastStableOffset
      assert.ok(stable < led.partition.highWatermark && log.sealedSegments().length > 10, 'a transaction is open, and some are behind it')
      const expected = kept.filter(({ offset }) => offset < stable).map(({ offset }) => offset)
      assert.deepEqual(await committedOffsets(world, led.partition), expected, 'from disk')
      const seams = new Set<number>()
      for (let localRetentionBytes = log.bytes; localRetentionBytes > -500; localRetentionBytes -= 250) {
        world.config = { ...evictAll, localRetentionBytes: Math.max(localRetentionBytes, 0) }
        await led.tiered.tick(world.log.clock.now())
        await world.log.clock.advance(10)
        if (seams.has(led.partition.log.localStartOffset)) continue
        seams.add(led.partition.log.localStartOffset)
        assert.ok(led.partition.log.localStartOffset <= stable, 'nothing goes up that is not decided')
        assert.deepEqual(await committedOffsets(world, led.partition), expected, `from ${led.partition.log.localStartOffset} on it is on disk`)
      }
      assert.ok(seams.size > 5, `${[...seams]}`)
      await led.tiered.close()
      await led.partition.log.abandon()
      led = await world.lead()
      assert.equal(led.partition.lastStableOffset, stable, 'after a crash')
      await led.tiered.tick(world.log.clock.now())
      assert.deepEqual(await committedOffsets(world, led.partition), expected, 'after a crash')
    }
  })
})

/**
 * Transactions of three producers, with batches of others between them, over many segments; every other one is aborted. Two are left open:
 * one that began late, and one that began before. Returns what is committed, in order.
 */
async function produceTransactions(partition: Partition, seed: number): Promise<{ offset: number }[]> {
  const random = new SeededRandom(seed)
  const states = [1, 2, 3].map((producerId) => ({ producerId, epoch: 0, sequence: 0, offsets: [] as number[] }))
  const kept: number[] = []
  const take = async (batch: Buffer): Promise<number> => {
    const { errorCode, errorMessage, baseOffset } = await partition.append(batch, { acks: -1, timeoutMs: 1000 })
    assert.equal(errorCode, ErrorCode.NONE, errorMessage)
    return baseOffset
  }
  for (let count = 0; count < 260; count++) {
    const state = states[Math.floor(random.fraction() * 3)]!
    const { producerId, epoch: producerEpoch, sequence: baseSequence } = state
    const what = random.fraction()
    if (what < 0.2) kept.push(await take(aBatch({ fill: count % 200 })))
    else if (what < 0.9 || count > 220) {
      state.offsets.push(await take(aBatch({ producerId, producerEpoch, baseSequence, isTransactional: true, fill: count % 200 })))
      state.sequence += 1
    } else {
      const isCommit = state.epoch % 2 === 0
      const timestamp = aMoment
      state.epoch += 1
      const marker = markerBatch({ producerId, producerEpoch: state.epoch, isCommit, coordinatorEpoch: 0, timestamp })
      const { errorCode } = await partition.appendMarker(marker, { hasOwnEpoch: true, timeoutMs: 1000 })
      assert.equal(errorCode, ErrorCode.NONE)
      if (isCommit) kept.push(...state.offsets)
      state.sequence = 0
      state.offsets = []
    }
  }
  await partition.log.roll()
  return kept.sort((one, other) => one - other).map((offset) => ({ offset }))
}

/** The offsets of the batches that a consumer hands on, from reads of the size that clients make them. */
async function committedOffsets(world: PartitionWorld, partition: Partition): Promise<number[]> {
  const found: number[] = []
  for (let offset = 0; offset < partition.lastStableOffset; ) {
    const reading = Promise.resolve(partition.read({
      offset, bytesMax: 900, minOneBatch: true, isCommittedOnly: true, currentLeaderEpoch: -1, lastFetchedEpoch: -1,
      deadline: world.log.clock.monotonic() + 500,
    }))
    const read = await Promise.race([reading, world.log.clock.advance(1).then(() => reading)])
    assert.equal(read.errorCode, ErrorCode.NONE)
    const aborting = [...read.aborted!].sort((one, other) => one.firstOffset - other.firstOffset)
    const aborted = new Set<number>()
    for (const batch of read.buffers.flatMap((buffer) => [...batchesIn(buffer)])) {
      while (aborting[0] !== undefined && aborting[0].firstOffset <= batch.lastOffset) aborted.add(aborting.shift()!.producerId)
      if (batch.baseOffset >= offset && batch.isControl && markerIn(batch)?.isCommit === false) aborted.delete(batch.producerId)
      else if (batch.baseOffset >= offset && !batch.isControl && !(batch.isTransactional && aborted.has(batch.producerId))) found.push(batch.baseOffset)
      offset = Math.max(offset, batch.endOffset)
    }
    read.release()
  }
  return found
}
