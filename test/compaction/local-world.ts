// A log that is compacted on a disk in memory, pass by pass, without a broker around it.

import assert from 'node:assert/strict'
import { type Cleanable, cleanableOf } from '../../broker/compaction/compaction-plan.ts'
import { InProcessCompaction } from '../../broker/compaction/in-process-compaction.ts'
import { compactLog, type PassDone } from '../../broker/compaction/log-pass.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { batchesIn, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { Disk } from '../../broker/runtime/disk.ts'
import type { LogWorld } from '../log/log-world.ts'
import { aMoment } from '../support/a-batch.ts'
import { recordBatch } from '../support/record-batches.ts'

export interface PassSettings {
  readonly mapBytesMax?: number
  readonly disk?: Disk
  readonly isWanted?: () => boolean
}

/** One pass over all that is sealed, however dirty. */
export async function compact(world: LogWorld, log: PartitionLog, settings: PassSettings = {}): Promise<PassDone> {
  const { mapBytesMax = 1 << 20, disk = world.mounted!, isWanted = () => true } = settings
  await settled(log)
  const io = new InProcessCompaction({ disk, clock: world.clock })
  try {
    return await compactLog({
      io, compaction: log.compaction, cleanable: cleanable(world, log), config: world.config, now: world.clock.now(), mapBytesMax,
      inflatedBytesMax: 1 << 24, bytesPerSecond: Infinity, isWanted, onProgress() {},
    })
  } finally {
    await io.close()
  }
}

/** Resolves once all that was sealed is synced and on the list. */
export async function settled(log: PartitionLog): Promise<void> {
  while (log.compaction.sealedBelow(Infinity).length < log.segmentCount - 1) await log.compaction.prepare()
}

export function cleanable(world: LogWorld, log: PartitionLog): Cleanable {
  const { cleanedOffset } = log.compaction
  const sealed = log.compaction.sealedBelow(log.lastStableOffset(log.durableEndOffset))
  return cleanableOf(sealed, { cleanedOffset, wallMs: world.clock.now() }, world.config)
}

export type Update = readonly [key: string, value: string | null]

/** As a leader takes them: one batch, of which every record must be taken. Returns its base offset. */
export async function put(log: PartitionLog, updates: readonly Update[], timestamp = aMoment): Promise<number> {
  const records = updates.map(([key, value]) => ({ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }))
  const appended = await log.append(recordBatch(records, { timestamp }), { leaderEpoch: 1 })
  assert.equal(appended.errorCode, ErrorCode.NONE, appended.errorMessage)
  return appended.baseOffset
}

export interface KeptRecord {
  readonly offset: number
  readonly key: string
  readonly value: string | null
}

/** As a reader gets them: there may be nothing up to the end of the log. */
export async function batchesOf(log: PartitionLog): Promise<RecordBatch[]> {
  const found: RecordBatch[] = []
  for (let offset = log.localStartOffset; ; offset = found.at(-1)!.endOffset) {
    const { buffers, release } = await log.read({ offset, endOffset: log.durableEndOffset, bytesMax: 1 << 16, minOneBatch: true })
    if (buffers.length === 0) return found
    for (const buffer of buffers) for (const { bytes } of batchesIn(buffer)) found.push(new RecordBatch(Buffer.from(bytes)))
    release()
  }
}

/** All records of a log, in order. Every batch must be intact and behind the one before it. */
export async function recordsIn(log: PartitionLog): Promise<KeptRecord[]> {
  const batches = await batchesOf(log)
  let end = log.localStartOffset
  for (const batch of batches) {
    assert.ok(batch.isIntact() && batch.baseOffset >= end, `a batch at ${batch.baseOffset} behind ${end}`)
    end = batch.endOffset
  }
  return batches.filter(({ isControl }) => !isControl).flatMap((batch) => [...recordsOf(new RecordBatch(batch.bytes), { bytesMax: 1 << 24 })])
    .map(({ offset, key, value }) => ({ offset, key: String(key), value: value?.toString() ?? null }))
}

/** The newest value of each key that is not deleted. */
export function tableOf(records: readonly Pick<KeptRecord, 'key' | 'value'>[]): Map<string, string> {
  const table = new Map<string, string>()
  for (const { key, value } of records) {
    if (value === null) table.delete(key)
    else table.set(key, value)
  }
  return table
}
