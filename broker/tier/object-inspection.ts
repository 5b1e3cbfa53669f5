import type { ObjectStore } from '../objects/object-store.ts'
import { crc32c } from '../protocol/crc32c.ts'
import type { Clock } from '../runtime/clock.ts'
import { decodeFooter, footerBytesMax, sectionIn } from './object-format.ts'
import { decodeEpochs } from './object-sections.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { InspectedObject } from './tier-io.ts'
import { callWithin } from './within.ts'

export interface InspectionOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly chunkBytes: number
  readonly requestTimeoutMs: number
}

/** See `TierIo.inspect`: the whole object is read once, a chunk at a time. */
export async function inspectObject(options: InspectionOptions, object: { readonly key: string; readonly bytes: number }): Promise<InspectedObject> {
  const { key, bytes } = object
  const end = await range(options, key, { start: Math.max(0, bytes - footerBytesMax), end: bytes })
  const footer = decodeFooter(end, bytes)
  let checksum = 0
  for (let start = 0; start < footer.batchesBytes; start += options.chunkBytes) {
    checksum = crc32c(await range(options, key, { start, end: Math.min(start + options.chunkBytes, footer.batchesBytes) }), checksum)
  }
  if (checksum !== footer.batchesCrc32c) throw new TierError('damaged', `${key}: its batches do not match their checksum`)
  const trailer = await range(options, key, { start: footer.batchesBytes, end: bytes })
  const sections = new Map(footer.sections.map((section) => [section.kind, sectionIn(trailer, footer.batchesBytes, section)]))
  return { footer, epochs: decodeEpochs(sections.get('epochs')!), crc32c: crc32c(trailer, checksum) }
}

async function range({ store, clock, requestTimeoutMs }: InspectionOptions, key: string, want: { start: number; end: number }): Promise<Buffer> {
  const doing = `reading [${want.start}, ${want.end}) of ${key}`
  const bytes = await callWithin({ clock, timeoutMs: requestTimeoutMs, doing }, (signal) => store.getRange(key, want, signal))
    .catch((cause: unknown) => { throw tierErrorOf(doing, cause) })
  if (bytes === undefined) throw new TierError('missing', `${doing}: there is no such object`)
  if (bytes.length !== want.end - want.start) throw new TierError('damaged', `${doing}: ${bytes.length} bytes came`)
  return bytes
}
