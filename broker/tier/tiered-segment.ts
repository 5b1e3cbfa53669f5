// A segment in the object store as its manifest row describes it: all that is needed to read it, so that a fetch from
// the tier asks the table once, and the store for nothing but what it wants.

import type { Json } from '../table/table.ts'
import type { Section } from './object-format.ts'
import { sectionKinds } from './object-sections.ts'
import { TierError } from './tier-error.ts'

export interface TieredSegment {
  readonly key: string
  readonly baseOffset: number
  /** Exclusive; the base offset of the next row. */
  readonly endOffset: number
  /** Of the leader that uploaded it. */
  readonly epoch: number
  readonly generation: number
  /** Of the whole object. */
  readonly bytes: number
  /** Of its batches, which is what counts towards `retention.bytes`. */
  readonly batchesBytes: number
  readonly batchCount: number
  readonly recordCount: number
  /** The largest of its records, milliseconds since 1970; -1: none has one. */
  readonly maxTimestamp: number
  /** The largest of its records and of all that ever came before: ascends from row to row, so it can be searched. */
  readonly maxTimestampSoFar: number
  /** Wall clock of the seal. */
  readonly sealedAt: number
  /** Of the whole object. */
  readonly crc32c: number
  readonly formatVersion: number
  readonly sections: readonly Section[]
}

export function segmentToJson(segment: TieredSegment): Json {
  const { sections, ...rest } = segment
  return { ...rest, sections: sections.map((one) => [one.kind, one.position, one.length, one.crc32c]) }
}

/** Throws `TierError` with code `damaged` where the item is not a row that `segmentToJson` makes. */
export function segmentFromJson(value: Json): TieredSegment {
  const fields = value as Record<string, unknown> | null
  if (typeof fields !== 'object' || fields === null || typeof fields['key'] !== 'string') throw damaged('no key')
  const number = (name: string, min = 0) => {
    const given = fields[name]
    if (!Number.isSafeInteger(given) || (given as number) < min) throw damaged(`${name} is ${JSON.stringify(given)}`)
    return given as number
  }
  const segment: TieredSegment = {
    key: fields['key'], baseOffset: number('baseOffset'), endOffset: number('endOffset'),
    epoch: number('epoch'), generation: number('generation'),
    bytes: number('bytes'), batchesBytes: number('batchesBytes', 1),
    batchCount: number('batchCount', 1), recordCount: number('recordCount'), sealedAt: number('sealedAt'),
    maxTimestamp: number('maxTimestamp', -1), maxTimestampSoFar: number('maxTimestampSoFar', -1),
    crc32c: number('crc32c'), formatVersion: number('formatVersion', 1),
    sections: sectionsOf(fields['sections']),
  }
  if (segment.endOffset <= segment.baseOffset || segment.batchesBytes > segment.bytes) throw damaged('its ranges are impossible')
  return segment
}

/** How old a segment is, on disk or in an object: one without timestamps is as old as its seal. Wall clock, milliseconds. */
export function timestampOf({ maxTimestamp, sealedAt }: { readonly maxTimestamp: number; readonly sealedAt: number }): number {
  return maxTimestamp < 0 ? sealedAt : maxTimestamp
}

function sectionsOf(value: unknown): Section[] {
  if (!Array.isArray(value)) throw damaged('no sections')
  return value.map((row: unknown) => {
    const [kind, position, length, crc32c] = Array.isArray(row) ? (row as unknown[]) : []
    const known = sectionKinds.find((one) => one === kind)
    if (known === undefined || ![position, length, crc32c].every((one) => Number.isSafeInteger(one) && (one as number) >= 0)) {
      throw damaged(`section ${JSON.stringify(row)}`)
    }
    return { kind: known, position: position as number, length: length as number, crc32c: crc32c as number }
  })
}

function damaged(what: string): TierError {
  return new TierError('damaged', `manifest row: ${what}`)
}
