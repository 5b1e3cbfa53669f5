// What is looked at before a batch gets its place in the log: a client's, or the marker that ends a transaction.

import { ErrorCode } from '../protocol/error-code.ts'
import { RecordBatch } from '../protocol/record-batch.ts'
import { validateAppend, type ValidationContext } from './append-validation.ts'
import { markerIn } from './marker.ts'
import { type Appended, failed, refused } from './pending-appends.ts'
import type { Marker, ProducerState, RememberedBatch } from './producer-state.ts'

/** Where the next batch goes, and what it is held against. */
export interface NextPlace extends ValidationContext {
  readonly producers: ProducerState
  readonly endOffset: number
  readonly leaderEpoch: number
}

export type Admission =
  | { readonly kind: 'new'; readonly batch: RecordBatch; readonly marker: Marker | undefined; readonly answer: Appended }
  | Duplicate
  | { readonly kind: 'refused'; readonly answer: Appended }

/** It is in the log. */
export interface Duplicate {
  readonly kind: 'duplicate'
  readonly original: Pick<RememberedBatch, 'baseOffset' | 'endOffset' | 'timestamp'>
}

export function admitBatch(records: Buffer, place: NextPlace): Admission {
  const batch = validateAppend(records, place)
  if ('errorCode' in batch) return { kind: 'refused', answer: refused(batch) }
  const checked = place.producers.check(batch)
  if (checked.kind === 'refused') return { kind: 'refused', answer: failed(checked.errorCode, checked.message) }
  if (checked.kind === 'duplicate') return checked
  const { hasLogAppendTime } = place.config
  batch.stamp(place.endOffset, place.leaderEpoch)
  if (hasLogAppendTime) batch.stampAppendTime(place.now)
  return { kind: 'new', batch, marker: undefined, answer: answerTo(batch, hasLogAppendTime ? place.now : -1) }
}

/** By whose rules the epoch of a marker goes. */
export interface MarkerRules {
  /** Since transaction version 2 every transaction has an epoch of its own: its marker's is higher than that of its records (KIP-1228). */
  readonly hasOwnEpoch: boolean
}

/**
 * A marker that says what the log says already is not written again: whoever repeats it, because an answer was lost, hears
 * of it once all that is in the log is durable, so the one before is as well. One that only brings a newer epoch, of the
 * producer or of its coordinator, is written although it ends nothing: what comes late from before it is refused from then on.
 */
export function admitMarker(bytes: Buffer, place: NextPlace, rules: MarkerRules): Admission {
  const batch = new RecordBatch(bytes)
  const marker = markerIn(batch)
  if (marker === undefined) return { kind: 'refused', answer: failed(ErrorCode.INVALID_RECORD, 'no end-of-transaction marker') }
  const checked = place.producers.checkMarker(batch, { ...marker, ...rules })
  if (checked.kind === 'refused') return { kind: 'refused', answer: failed(checked.errorCode, checked.message) }
  if (checked.kind === 'known') return { kind: 'duplicate', original: { baseOffset: -1, endOffset: place.endOffset, timestamp: -1 } }
  batch.stamp(place.endOffset, place.leaderEpoch)
  return { kind: 'new', batch, marker, answer: answerTo(batch, -1) }
}

function answerTo({ baseOffset, endOffset }: RecordBatch, logAppendTime: number): Appended {
  return { errorCode: ErrorCode.NONE, baseOffset, endOffset, logAppendTime }
}
