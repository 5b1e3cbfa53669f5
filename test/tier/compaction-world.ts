// A partition whose history is in the tier, with producers, transactions and tombstones, and what compaction may do to it.

import assert from 'node:assert/strict'
import { encodeChecked } from '../../broker/log/checked-file.ts'
import { markerIn } from '../../broker/log/marker.ts'
import { ProducerState } from '../../broker/log/producer-state.ts'
import { batchesIn, RecordBatch } from '../../broker/protocol/record-batch.ts'
import type { ObjectStore } from '../../broker/objects/object-store.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import type { Clock, Timer } from '../../broker/runtime/clock.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import type { Table } from '../../broker/table/table.ts'
import { compactPartition, type CompactionEnd, type CompactionOptions } from '../../broker/tier/compaction/compact-partition.ts'
import type { CompactionIo } from '../../broker/tier/compaction/compaction-io.ts'
import { InProcessTierIo } from '../../broker/tier/in-process-tier-io.ts'
import { Manifest } from '../../broker/tier/manifest.ts'
import { tierIoLimits } from '../../broker/tier/tier-io.ts'
import type { CompactionConfig } from '../../broker/tier/tier-source.ts'
import type { TieredPartition } from '../../broker/tier/tiered-partition.ts'
import type { TieredSegment } from '../../broker/tier/tiered-segment.ts'
import { aMoment } from '../support/a-batch.ts'
import { abortedOf, aHistory, type HistoryShape, type PlainBatch } from '../support/compaction-history.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { TierWorld, type WorldOptions } from './tier-world.ts'

export const settings: CompactionConfig = { deleteRetentionMs: 1000, dirtyRatioMin: 0, lagMsMin: 0, lagMsMax: Infinity }
export const compactionLimits = {
  compactionObjectBytes: 3000, compactionGroupRowsMax: 4, compactionGroupBytesMax: 8000, compactionDirtyRowsMax: 1000,
}
export const smallShape: HistoryShape = { batches: 150, keys: 12, producers: 5, compressions: ['none', 'gzip', 'zstd', 'snappy', 'lz4'] }

export interface CompactionWorldOptions extends Omit<WorldOptions, 'clock'> {
  readonly seed?: number
  readonly shape?: Partial<HistoryShape>
  readonly batchesPerSegment?: number
  /** Bytes for keys, where they are to be few. */
  readonly keyBytesMax?: number
}

export interface LeftRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
}

export class CompactionWorld {
  readonly world: TierWorld
  readonly clock: WallClock
  readonly history: readonly PlainBatch[]
  readonly random: SeededRandom
  partition: TieredPartition

  private constructor(parts: { world: TierWorld; clock: WallClock; history: PlainBatch[]; random: SeededRandom; partition: TieredPartition }) {
    this.world = parts.world
    this.clock = parts.clock
    this.history = parts.history
    this.random = parts.random
    this.partition = parts.partition
  }

  static async open(options: CompactionWorldOptions): Promise<CompactionWorld> {
    const { seed = 1, shape = {}, batchesPerSegment = 7, keyBytesMax = 1 << 20 } = options
    const clock = new WallClock()
    const random = new SeededRandom(seed)
    const history = aHistory(random, { ...smallShape, ...shape })
    const world = await TierWorld.open({
      ...options, clock,
      ioLimits: { compactionKeyBytesMax: keyBytesMax, compactionReadBytes: 900, compactionTurnBytes: 100_000, ...options.ioLimits },
    })
    world.log.aborted = abortedOf(history)
    world.log.logStartOffset = history[0]!.baseOffset
    world.log.endOffset = history[0]!.baseOffset
    sealAll(world, history, batchesPerSegment)
    const partition = await world.lead()
    const end = world.log.endOffset
    await world.tieredTo(partition, end)
    return new CompactionWorld({ world, clock, history, random, partition })
  }

  get end(): number {
    return this.history.at(-1)!.lastOffset + 1
  }

  /** How many keys have a value, all told. */
  get keysLeft(): number {
    return foldOf(this.history.flatMap((batch) => batch.isMarker ? [] : batch.records), this.abortedOffsets()).size
  }

  get start(): number {
    return this.history[0]!.baseOffset
  }

  /** One of its own, as whoever compacts elsewhere has; `epoch`: of the leader for whom. */
  manifest(table: Table = this.world.table): Manifest {
    const { topicId, partition } = this.world.log
    return new Manifest({ table, id: { topicId, partition }, rowsMax: 8, attemptsMax: 5 })
  }

  compact(with_: Partial<CompactionOptions> = {}): Promise<CompactionEnd> {
    const io: CompactionIo = this.world.io
    return compactPartition({
      manifest: this.manifest(), io, clock: this.clock, random: this.random, clusterId: 'test-cluster', config: settings,
      limits: compactionLimits, signal: new AbortController().signal, ...with_,
    })
  }

  rows(): Promise<TieredSegment[]> {
    return this.manifest().rowsFrom(0, 1000)
  }

  /** Where another process has its bytes: the same store, and a memory of its own. */
  otherIo(store: ObjectStore = this.world.store): Promise<InProcessTierIo> {
    const limits = { ...tierIoLimits, compactionKeyBytesMax: 1 << 20, compactionReadBytes: 900, blockFileBytesMax: 0, checksumBytes: 300 }
    return InProcessTierIo.open({
      store, disk: nodeDisk, clock: this.clock, limits, cacheDirectory: '/nowhere', recordsOf,
      onFault: (doing, cause) => {
        throw new Error(doing, { cause })
      },
    })
  }

  /** Who reads and remembers nothing of what was there before. */
  reader(): TieredPartition {
    return this.world.tier.open(this.world.log)
  }

  /** All batches, as a client reads them that goes on behind what it got. */
  async batches(partition = this.reader()): Promise<RecordBatch[]> {
    return [...batchesIn(await this.world.readAll(partition, { offset: this.start, end: this.end, bytesMax: 700 }))]
  }

  async records(partition = this.reader()): Promise<LeftRecord[]> {
    return recordsIn(await this.batches(partition))
  }

  async itemsOf(prefix: string): Promise<number> {
    return (await this.world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix })).length
  }

  /** What has to hold whatever compaction did, and however often it was interrupted. */
  async assertSound(partition = this.reader()): Promise<void> {
    const rows = await this.rows()
    const head = (await this.manifest().refresh())!
    for (const [index, row] of rows.entries()) if (index > 0) assert.equal(row.baseOffset, rows[index - 1]!.endOffset, 'rows have no gap')
    assert.equal(rows.at(-1)!.endOffset, head.tieredEnd)
    assert.equal(rows.reduce((total, { batchesBytes }) => total + batchesBytes, 0), head.bytes)
    assert.equal(rows.length, head.segments)
    for (const [index, { maxTimestamp, maxTimestampSoFar }] of rows.entries()) {
      assert.ok(maxTimestampSoFar >= Math.max(maxTimestamp, rows[index - 1]?.maxTimestampSoFar ?? -1), 'the largest so far ascends')
    }
    const left = await this.records(partition)
    const was = new Map(this.history.flatMap((batch) => batch.isMarker ? [] : batch.records.map((one) => [one.offset, one] as const)))
    for (const { offset, key, value } of left) {
      assert.deepEqual([key, value], [was.get(offset)!.key, was.get(offset)!.value], `the record at ${offset} is what it was`)
    }
    // Whoever folds what is left comes to what folding all of it comes to.
    assert.deepEqual(sorted(foldOf(left, this.abortedOffsets())), sorted(foldOf([...was.values()], this.abortedOffsets())))
  }

  /** The fold of what is left below an offset, where others have appended behind it. */
  async assertSoundBelow(offset: number): Promise<void> {
    const batches = [...batchesIn(await this.world.readAll(this.reader(), { offset: this.start, end: offset }))]
    const left = recordsIn(batches)
    const all = this.history.flatMap((batch) => batch.isMarker ? [] : batch.records)
    assert.deepEqual(sorted(foldOf(left, this.abortedOffsets())), sorted(foldOf(all, this.abortedOffsets())))
  }

  /** After a whole pass: of each key the newest, and nothing that was aborted. */
  async assertCompact(partition = this.reader()): Promise<void> {
    await this.assertSound(partition)
    const left = await this.records(partition)
    const keys = left.map(({ key }) => key)
    assert.equal(new Set(keys).size, keys.length, 'a key is there once')
    const aborted = this.abortedOffsets()
    assert.ok(left.every(({ offset, key }) => key !== null && !aborted.has(offset)))
  }

  abortedOffsets(): Set<number> {
    return new Set(this.history.flatMap(({ transaction, records }) => transaction?.isAborted ? records.map(({ offset }) => offset) : []))
  }
}

/** Timers and monotonic time are the machine's, and the wall clock stands where the test has put it. */
export class WallClock implements Clock {
  wall = aMoment

  now(): number {
    return this.wall
  }

  monotonic(): number {
    return nodeClock.monotonic()
  }

  after(delayMs: number, run: () => void): Timer {
    return nodeClock.after(delayMs, run)
  }
}

function sealAll(world: TierWorld, history: readonly PlainBatch[], batchesPerSegment: number): void {
  const producers = new ProducerState()
  for (let at = 0; at < history.length; at += batchesPerSegment) {
    const some = history.slice(at, at + batchesPerSegment)
    for (const { bytes } of some) {
      const batch = new RecordBatch(bytes)
      producers.apply(batch, { now: world.clock.now(), marker: markerIn(batch) })
    }
    world.log.seal(some.map(({ bytes }) => bytes), { producers: encodeChecked(producers.snapshot()), sealedAt: world.clock.now() })
  }
}

export function recordsIn(batches: readonly RecordBatch[]): LeftRecord[] {
  return batches.filter(({ isControl }) => !isControl).flatMap((batch) => [...recordsOf(batch, { bytesMax: 1 << 20 })].map((one) => ({
    offset: one.offset, key: one.key?.toString() ?? null, value: one.value?.toString() ?? null,
  })))
}

function foldOf(records: readonly LeftRecord[], aborted: ReadonlySet<number>): Map<string, string> {
  const table = new Map<string, string>()
  for (const { offset, key, value } of records) {
    if (key === null || aborted.has(offset)) continue
    if (value === null) table.delete(key)
    else table.set(key, value)
  }
  return table
}

function sorted(table: ReadonlyMap<string, string>): [string, string][] {
  return [...table].sort(([one], [other]) => (one < other ? -1 : 1))
}
