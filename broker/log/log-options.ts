import type { RecordBatch } from '../protocol/record-batch.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Disk } from '../runtime/disk.ts'
import type { Uuid } from '../runtime/random.ts'
import type { HotBudget } from './hot-ring.ts'
import { indexIntervalBytesMin, type LogConfig } from './log-config.ts'
import type { LogFiles } from './log-files.ts'
import type { RecoveryOptions } from './recovery.ts'
import type { OpenBatch } from './timestamp-search.ts'

export interface LogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Of this partition alone. */
  readonly directory: string
  readonly topicId: Uuid
  readonly partition: number
  /** The topic's settings as they are now. */
  config(): LogConfig
  /** Whether an append is synced before it counts. */
  readonly isSynced: boolean
  readonly hot: HotBudget
  /** Memory for reads from disk. */
  readonly pool: BufferPool
  readonly openBatch: OpenBatch
  /** Places in a batch of the records that have no key. */
  keyless(batch: RecordBatch): readonly number[]
  /** A write failed (`log` goes on), or nothing can be written any more (`stopped`). */
  onFault(cause: unknown, effect: 'appends failed' | 'stopped' | 'not tidied'): void
}

/** Bytes of batches between two entries of the offset index. */
export function indexIntervalBytes(options: LogOptions): number {
  return Math.max(options.config().indexIntervalBytes, indexIntervalBytesMin)
}

/** How what is on the disk is taken in. */
export function recoveryOptions(options: LogOptions, files: LogFiles): RecoveryOptions {
  const { disk, directory, clock } = options
  const mayHaveGaps = options.config().isCompacted
  return { disk, directory, files, indexIntervalBytes: indexIntervalBytes(options), mayHaveGaps, now: clock.now() }
}
