import assert from 'node:assert/strict'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import type { LogConfig } from '../../broker/log/log-config.ts'
import { type LogOptions, PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import type { Disk } from '../../broker/runtime/disk.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'
import { aMoment } from '../support/a-batch.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk, type MemoryDiskOptions } from '../support/memory-disk.ts'

export const directory = '/data/tPcZrYzKQ0GQp6W1vHnK2A-0'
export const topicId = 'tPcZrYzKQ0GQp6W1vHnK2A'

export const plainConfig: LogConfig = {
  segmentBytes: 1 << 20, segmentMs: 3_600_000, retentionMs: -1, retentionBytes: -1, indexIntervalBytes: 4096, batchBytesMax: 1 << 20,
  hasLogAppendTime: false, timestampBeforeMsMax: Infinity, timestampAfterMsMax: 3_600_000, isDeleted: true, isCompacted: false,
  isTiered: false, producerExpiryMs: 86_400_000,
  minCleanableRatio: 0.5, minCompactionLagMs: 0, maxCompactionLagMs: Infinity, deleteRetentionMs: 86_400_000,
}

export interface Fault {
  readonly cause: unknown
  readonly effect: string
}

/** A disk and a clock, and a log on them that can be opened again and again. */
export class LogWorld {
  readonly disk: MemoryDisk
  readonly clock = new ManualClock(aMoment)
  readonly faults: Fault[] = []
  config: LogConfig
  isSynced = true
  /** What the log that was opened last sees of the disk. */
  mounted: Disk | undefined
  /** Of every log that is opened here: what one leaves behind is of no use to the next. */
  hot = new HotBudget(1 << 20)

  constructor(options: Partial<MemoryDiskOptions> = {}, config: Partial<LogConfig> = {}) {
    this.disk = new MemoryDisk({ seed: 1, ...options })
    this.config = { ...plainConfig, ...config }
  }

  /** As a process does that has just begun: one before it has come to its end. */
  open(options: Partial<LogOptions> = {}): Promise<PartitionLog> {
    this.mounted = options.disk ?? this.disk.mount()
    return PartitionLog.open({
      disk: this.mounted, clock: this.clock, directory, topicId, partition: 0, config: () => this.config, isSynced: this.isSynced,
      hot: this.hot, pool: new BufferPool(1 << 20), openBatch: recordsWithTimestamps, keyless,
      onFault: (cause, effect) => this.faults.push({ cause, effect }), ...options,
    })
  }

  /** A log whose reads all go to the disk. */
  openCold(options: Partial<LogOptions> = {}): Promise<PartitionLog> {
    return this.open({ hot: new HotBudget(0), ...options })
  }

  /** Names of the files in the partition's directory. */
  names(): string[] {
    return [...this.disk.files().keys()].filter((path) => path.startsWith(`${directory}/`)).map((path) => path.slice(directory.length + 1)).sort()
  }
}

function* recordsWithTimestamps(batch: RecordBatch): Generator<{ offset: number; timestamp: number }> {
  for (const { offset, timestamp } of recordsOf(batch, { bytesMax: 1 << 24 })) yield { offset, timestamp }
}

function keyless(batch: RecordBatch): number[] {
  return [...recordsOf(batch, { bytesMax: 1 << 24 })].flatMap(({ key }, index) => (key === null ? [index] : []))
}

/** Appends batches one after another; each must be taken. Returns their base offsets. */
export async function appendAll(log: PartitionLog, batches: readonly Buffer[], leaderEpoch = 0): Promise<number[]> {
  const appended = await Promise.all(batches.map((batch) => log.append(batch, { leaderEpoch })))
  for (const { errorCode, errorMessage } of appended) assert.equal(errorCode, ErrorCode.NONE, errorMessage)
  return appended.map(({ baseOffset }) => baseOffset)
}

/** Every batch from an offset to the durable end, copied. */
export async function readAll(log: PartitionLog, start = log.localStartOffset): Promise<RecordBatch[]> {
  const found: RecordBatch[] = []
  for (let offset = start; offset < log.durableEndOffset; ) {
    const read = await log.read({ offset, endOffset: log.durableEndOffset, bytesMax: 1 << 16, minOneBatch: true })
    assert(read.buffers.length > 0, `nothing at offset ${offset} of ${log.durableEndOffset}`)
    for (const buffer of read.buffers) for (const { bytes } of batchesIn(buffer)) found.push(...batchesIn(Buffer.from(bytes)))
    read.release()
    offset = found.at(-1)!.endOffset
  }
  return found
}

/** The path of the segment that begins at an offset. */
export function segmentPath(baseOffset: number, kind = 'log'): string {
  return `${directory}/${String(baseOffset).padStart(20, '0')}.${kind}`
}
