import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ObjectStore } from '../../broker/objects/object-store.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Table } from '../../broker/table/table.ts'
import type { ColdReadResult } from '../../broker/tier/cold-reader.ts'
import { InProcessTierIo } from '../../broker/tier/in-process-tier-io.ts'
import type { TierEvent } from '../../broker/tier/tier-events.ts'
import { type TierIoLimits, tierIoLimits } from '../../broker/tier/tier-io.ts'
import type { TieredPartition } from '../../broker/tier/tiered-partition.ts'
import { Tier, type TierLimits } from '../../broker/tier/tier.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { batch } from './batches.ts'
import { FakeLog } from './fake-log.ts'
import { TroubledStore } from './troubled-store.ts'

export interface WorldOptions {
  readonly directory: string
  readonly clock?: Clock
  readonly table?: Table
  readonly store?: ObjectStore
  readonly limits?: Partial<TierLimits>
  readonly ioLimits?: Partial<TierIoLimits>
}

interface WorldParts {
  readonly io: InProcessTierIo
  readonly clock: Clock
  readonly table: Table
  readonly store: TroubledStore
  readonly log: FakeLog
}

export interface SegmentShape {
  readonly segments: number
  /** In each segment. */
  readonly batches?: number
  /** In each batch. */
  readonly records?: number
  readonly valueBytes?: number
  readonly timestamp?: number
  readonly log?: FakeLog
}

export interface ReadOptions {
  readonly bytesMax?: number
  readonly endOffset?: number
  readonly waitMs?: number
  readonly minOneBatch?: boolean
}

const smallLimits: Partial<TierIoLimits> = {
  blockBytes: 4096, indexIntervalBytes: 512, checksumBytes: 300, readAheadBytes: 8192, uploadChunkBytes: 1000, failureHoldMs: 0,
}

/** One broker's tier over a store and a table in memory, with small blocks, and a log beside it. */
export class TierWorld {
  /** For the files of further logs. */
  readonly directory: string
  readonly clock: Clock
  readonly table: Table
  readonly store: TroubledStore
  readonly log: FakeLog
  readonly events: TierEvent[] = []
  readonly io: InProcessTierIo
  readonly tier: Tier

  private constructor(options: WorldOptions & WorldParts) {
    this.directory = options.directory
    this.clock = options.clock
    this.table = options.table
    this.store = options.store
    this.log = options.log
    this.io = options.io
    const limits = { uploadRetryMs: 1, uploadRetryMsMax: 5, sweepEveryMs: 0, ...options.limits }
    this.tier = new Tier({
      clock: this.clock, random: nodeRandom, table: this.table, io: this.io, clusterId: 'test-cluster', limits,
      onEvent: (event) => this.events.push(event),
    })
  }

  static async open(options: WorldOptions): Promise<TierWorld> {
    const { directory, clock = nodeClock, table = new MemoryTable() } = options
    const store = options.store instanceof TroubledStore ? options.store : new TroubledStore(options.store)
    const limits = { ...tierIoLimits, ...smallLimits, ...options.ioLimits }
    const io = await InProcessTierIo.open({
      store, disk: nodeDisk, clock, limits, cacheDirectory: join(directory, 'cache'), recordsOf,
      onFault: (doing, cause) => {
        throw new Error(doing, { cause })
      },
    })
    mkdirSync(join(directory, 'log'), { recursive: true })
    return new TierWorld({ ...options, clock, table, store, io, log: new FakeLog(join(directory, 'log')) })
  }

  /** Opens the log's partition and claims its manifest. */
  async lead(log = this.log): Promise<TieredPartition> {
    const partition = this.tier.open(log)
    await partition.tick(this.clock.now())
    return partition
  }

  /** Seals `segments` segments of `batches` batches of `records` records each; timestamps ascend by one from `timestamp`. */
  seal(shape: SegmentShape): void {
    const { segments, batches = 10, records = 5, valueBytes = 50, timestamp = 1000, log = this.log } = shape
    for (let segment = 0; segment < segments; segment++) {
      let offset = log.endOffset
      log.seal(Array.from({ length: batches }, () => {
        const timestamps = Array.from({ length: records }, (_, index) => timestamp + offset + index)
        const made = batch({ baseOffset: offset, timestamps, valueBytes })
        offset += records
        return made
      }))
    }
  }

  /** Ticks until the tier ends at `offset`, or the test gives up. */
  async tieredTo(partition: TieredPartition, offset: number): Promise<void> {
    await this.until(() => partition.tieredEnd >= offset, `the tier to end at ${offset}`, () => partition.sealed())
  }

  async until(isDone: () => boolean, what: string, poke = () => {}): Promise<void> {
    for (let turns = 0; !isDone(); turns++) {
      if (turns > 2000) throw new Error(`waited in vain for ${what}: ${JSON.stringify(this.events.slice(-3))}`)
      poke()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** Reads [offset, end) fetch by fetch, as a client would, and returns what came. */
  async readAll(partition: TieredPartition, range: { offset: number; end: number; bytesMax?: number }): Promise<Buffer> {
    const parts: Buffer[] = []
    let { offset } = range
    for (let fetches = 0; offset < range.end; fetches++) {
      if (fetches > 5000) throw new Error(`reading stands at ${offset}`)
      const result = await this.read(partition, offset, { bytesMax: range.bytesMax ?? 1500, endOffset: range.end })
      if (result.kind === 'pending') continue
      if (result.kind !== 'batches') throw new Error(`at ${offset}: ${result.kind}`, { cause: result })
      parts.push(...result.batches)
      offset = result.nextOffset
    }
    return Buffer.concat(parts)
  }

  read(partition: TieredPartition, offset: number, options: ReadOptions = {}): Promise<ColdReadResult> {
    const { bytesMax = 1500, endOffset = Infinity, waitMs = 1000, minOneBatch = true } = options
    return partition.read({ offset, endOffset, bytesMax, minOneBatch, deadlineMs: this.clock.monotonic() + waitMs })
  }
}
