// A sealed segment on its way up: one pass over the file to check and index it, a second one to send it. The second
// reads from the page cache; holding 64 MiB for the time of an upload would cost more.

import type { ObjectBody, ObjectStore } from '../objects/object-store.ts'
import { crc32c } from '../protocol/crc32c.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Disk, DiskError, type DiskFile } from '../runtime/disk.ts'
import type { ByteRate } from '../runtime/byte-rate.ts'
import { encodeTrailer, formatVersion } from './object-format.ts'
import { encodeAborted, encodeChecksums, encodeEpochs, encodeOffsets, encodeTimes } from './object-sections.ts'
import { scanSegment, type SegmentScan } from './segment-scan.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { TierIoLimits, UploadedObject, UploadJob } from './tier-io.ts'
import { callWithin } from './within.ts'

export interface SegmentUploadOptions {
  readonly store: ObjectStore
  readonly disk: Disk
  readonly clock: Clock
  readonly rate: ByteRate
  readonly limits: TierIoLimits
}

/** See `TierIo.upload`. */
export async function uploadSegment(to: SegmentUploadOptions, job: UploadJob, signal?: AbortSignal): Promise<UploadedObject> {
  const { clock, limits, disk } = to
  const file = await openSegment(disk, job.path)
  let sending: Promise<void> = Promise.resolve()
  try {
    const { start, end, fileBytes } = job
    const scan = await scanSegment(file, { start, end, fileBytes, limits: { ...limits, chunkBytes: limits.uploadChunkBytes } })
    const trailer = trailerOf(job, scan)
    const object: UploadedObject = {
      bytes: scan.batchesBytes + trailer.bytes.length, batchesBytes: scan.batchesBytes, batchCount: scan.batchCount,
      recordCount: scan.recordCount, maxTimestamp: scan.maxTimestamp, crc32c: crc32c(trailer.bytes, scan.crc32c),
      formatVersion, sections: trailer.sections,
    }
    const call = { clock, timeoutMs: limits.uploadTimeoutMs, signal }
    const what = { key: job.key, file, scan, trailer: trailer.bytes, object }
    await callWithin(`uploading ${job.key}`, call, (within) => (sending = put(to, what, within)))
    return object
  } catch (cause) {
    throw tierErrorOf(`uploading ${job.key}`, cause)
  } finally {
    // A call that was given up may still read: its descriptor must not be another file's meanwhile.
    const close = () => file.close().catch(() => {})
    sending.then(close, close)
  }
}

interface Put {
  readonly key: string
  readonly file: DiskFile
  readonly scan: SegmentScan
  readonly trailer: Buffer
  readonly object: UploadedObject
}

async function put(options: SegmentUploadOptions, what: Put, signal: AbortSignal): Promise<void> {
  const { store } = options
  const { key, object } = what
  const body: ObjectBody = { length: object.bytes, crc32c: object.crc32c, chunks: () => chunksOf(options, what, signal) }
  const { stored } = await store.put(key, body, signal)
  if (!stored) throw new TierError('damaged', `${key} is taken by other content`)
  const head = await store.head(key, signal)
  if (head?.length !== object.bytes) {
    throw new TierError('damaged', `${key}: stored ${object.bytes} bytes, the store has ${head?.length ?? 'none'}`)
  }
}

async function* chunksOf(
  { rate, limits }: SegmentUploadOptions, { file, scan, trailer }: Put, signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const end = scan.position + scan.batchesBytes
  const buffer = Buffer.allocUnsafeSlow(Math.min(limits.uploadChunkBytes, scan.batchesBytes))
  for (let position = scan.position; position < end; ) {
    const chunk = buffer.subarray(0, end - position)
    await rate.take(chunk.length, signal)
    if (signal.aborted) throw tierErrorOf('sending a segment', signal.reason)
    const count = await file.read(chunk, position)
    if (count < chunk.length) throw new TierError('damaged', `the segment ends at ${position + count}, which was read before`)
    yield chunk
    position += chunk.length
  }
  yield trailer
}

/** All that stands behind the batches of an object. */
export function trailerOf(job: Omit<UploadJob, 'key' | 'path' | 'fileBytes'>, scan: SegmentScan): ReturnType<typeof encodeTrailer> {
  const head = {
    topicId: job.topicId, partition: job.partition, baseOffset: job.start, endOffset: job.end,
    epoch: job.epoch, generation: job.generation,
    batchCount: scan.batchCount, recordCount: scan.recordCount, batchesBytes: scan.batchesBytes, batchesCrc32c: scan.crc32c,
    maxTimestamp: scan.maxTimestamp, sealedAt: job.sealedAt,
  }
  return encodeTrailer(head, {
    offsets: encodeOffsets(scan.offsets), times: encodeTimes(scan.times), aborted: encodeAborted(job.aborted),
    checksums: encodeChecksums(scan.checksums), epochs: encodeEpochs(job.epochs), producers: Buffer.from(job.producers),
  })
}

async function openSegment(disk: Disk, path: string): Promise<DiskFile> {
  try {
    return await disk.open(path)
  } catch (cause) {
    if (cause instanceof DiskError && cause.code === 'ENOENT') throw new TierError('missing', `there is no file ${path}`, cause)
    throw tierErrorOf(`opening ${path}`, cause)
  }
}
