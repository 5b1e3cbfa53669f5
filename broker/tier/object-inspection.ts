import type { ObjectStore } from '../objects/object-store.ts'
import { crc32c } from '../protocol/crc32c.ts'
import type { Clock } from '../runtime/clock.ts'
import { decodeFooter, footerBytesMax, sectionIn } from './object-format.ts'
import { decodeEpochs } from './object-sections.ts'
import { TierError } from './tier-error.ts'
import type { InspectedObject, ObjectInspection } from './tier-io.ts'
import { callWithin } from './within.ts'

export interface InspectionOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly chunkBytes: number
  readonly requestTimeoutMs: number
}

/** See `TierIo.inspect`: batches are read once, a chunk at a time. */
export async function inspectObject(options: InspectionOptions, object: ObjectInspection): Promise<InspectedObject> {
  const { key, bytes, readsBatches } = object
  const end = await range(options, key, { start: Math.max(0, bytes - footerBytesMax), end: bytes })
  const footer = decodeFooter(end, bytes)
  if (readsBatches && (await batchesCrc32c(options, key, footer.batchesBytes)) !== footer.batchesCrc32c) {
    throw new TierError('damaged', `${key}: its batches do not match their checksum`)
  }
  const trailer = await range(options, key, { start: footer.batchesBytes, end: bytes })
  const sections = new Map(footer.sections.map((section) => [section.kind, sectionIn(trailer, footer.batchesBytes, section)]))
  return { footer, epochs: decodeEpochs(sections.get('epochs')!), crc32c: crc32c(trailer, footer.batchesCrc32c) }
}

async function batchesCrc32c(options: InspectionOptions, key: string, batchesBytes: number): Promise<number> {
  let checksum = 0
  for (let start = 0; start < batchesBytes; start += options.chunkBytes) {
    checksum = crc32c(await range(options, key, { start, end: Math.min(start + options.chunkBytes, batchesBytes) }), checksum)
  }
  return checksum
}

async function range(
  { store, clock, requestTimeoutMs }: InspectionOptions, key: string, want: { start: number; end: number },
): Promise<Buffer> {
  const doing = `reading [${want.start}, ${want.end}) of ${key}`
  const bytes = await callWithin(doing, { clock, timeoutMs: requestTimeoutMs }, (signal) => store.getRange(key, want, signal))
  if (bytes === undefined) throw new TierError('missing', `${doing}: there is no such object`)
  if (bytes.length !== want.end - want.start) throw new TierError('damaged', `${doing}: ${bytes.length} bytes came`)
  return bytes
}
