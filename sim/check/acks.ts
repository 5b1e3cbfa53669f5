import { type Attempt, type History, placeName } from './history.ts'
import { at, keyOf, type LogIndex } from './log-index.ts'
import type { Violation } from './violation.ts'

/** I1 to I5: what was acknowledged is there, once, where the acknowledgement said; what was refused is not. */
export function* checkAcks(history: History, index: LogIndex): Generator<Violation> {
  const sent = new Map<string, Attempt[]>()
  for (const attempt of history.attempts) {
    for (const value of attempt.values) {
      const known = sent.get(value)
      if (known === undefined) sent.set(value, [attempt])
      else known.push(attempt)
    }
  }
  for (const [value, attempts] of sent) yield* checkValue(value, attempts, index)
  yield* checkPhantoms(history, sent)
  yield* checkEpochOfAcks(history, index)
  yield* checkOffsetsOfAcks(history)
}

function* checkValue(
  value: string, attempts: readonly Attempt[], index: LogIndex,
): Generator<Violation> {
  const seen = index.placesOf(value)
  const [first] = attempts
  const isIdempotent = first!.sequence !== undefined
  // Who sends a batch again without a sequence asks for it twice.
  if (seen.length > 1 && (isIdempotent || attempts.length === 1)) yield { rule: 'duplicate', about: `'${value}' ${seen.length} times` }
  if (seen.length > 0 && attempts.every(({ outcome }) => outcome === 'fail')) {
    yield { rule: 'refused but written', about: `'${value}' (error ${first!.error}) at ${seen[0]!.offset}` }
  }
  for (const attempt of attempts) {
    if (attempt.outcome !== 'ok' || !index.has(attempt)) continue
    const offset = attempt.offset + attempt.values.indexOf(value)
    // What retention has deleted is another question (retained.ts).
    if (offset < index.earliest(attempt)) continue
    const isThere = seen.some((one) => one.offset === offset && one.place === keyOf(attempt))
    // So is what compaction has taken (compacted.ts).
    if (isThere || (seen.length === 0 && index.isCompacted(attempt))) continue
    yield seen.length === 0
      ? { rule: 'lost', about: `'${value}', acknowledged at ${at(attempt, offset)} at ${attempt.endedAt.toFixed(0)} ms` }
      : { rule: 'moved', about: `'${value}', acknowledged at ${at(attempt, offset)}, is at ${seen[0]!.offset}` }
  }
}

function* checkPhantoms(history: History, sent: ReadonlyMap<string, readonly Attempt[]>): Generator<Violation> {
  for (const final of history.finals) {
    for (const { offset, value } of final.records) {
      if (value === '') continue
      const attempts = sent.get(value)
      if (attempts === undefined) yield { rule: 'phantom', about: `${at(final, offset)}: '${value}', which nobody sent` }
      else if (!attempts.some((attempt) => keyOf(attempt) === keyOf(final))) {
        yield { rule: 'phantom', about: `${at(final, offset)}: '${value}', which was sent to ${placeName(attempts[0]!)}` }
      }
    }
  }
}

/** I2: once an epoch has acknowledged something, no older one acknowledges what is sent then. */
function* checkEpochOfAcks(history: History, index: LogIndex): Generator<Violation> {
  /** By place: the newest epoch of which an acknowledgement has come, and when. */
  const newest = new Map<string, { epoch: number; endedAt: number }[]>()
  /** When each batch was sent first. */
  const first = new Map<string, number>()
  for (const attempt of history.attempts) {
    first.set(batchOf(attempt), Math.min(first.get(batchOf(attempt)) ?? Infinity, attempt.invokedAt))
  }
  const acks = history.attempts.filter(({ outcome }) => outcome === 'ok').toSorted((one, other) => one.endedAt - other.endedAt)
  for (const attempt of acks) {
    const epoch = index.epochAt(attempt, attempt.offset)
    if (epoch === undefined || attempt.offset < index.earliest(attempt)) continue
    const steps = newest.get(keyOf(attempt)) ?? []
    newest.set(keyOf(attempt), steps)
    const before = steps.findLast(({ endedAt }) => endedAt < attempt.invokedAt)
    // What was sent before may have been written before: a duplicate is answered with where it was, by whoever leads now.
    const isFirst = first.get(batchOf(attempt)) === attempt.invokedAt
    if (before !== undefined && epoch < before.epoch && isFirst) {
      yield { rule: 'epoch', about: `${at(attempt, attempt.offset)} was acknowledged by epoch ${epoch}, after one of epoch ${before.epoch}` }
    }
    if (epoch > (steps.at(-1)?.epoch ?? -1)) steps.push({ epoch, endedAt: attempt.endedAt })
  }
}

const batchOf = (attempt: Attempt): string => `${attempt.producer}/${keyOf(attempt)}/${attempt.batch}`

/** No two batches were told the same offset. */
function* checkOffsetsOfAcks(history: History): Generator<Violation> {
  const owners = new Map<string, string>()
  for (const attempt of history.attempts) {
    if (attempt.outcome !== 'ok') continue
    for (const [index, value] of attempt.values.entries()) {
      const name = `${keyOf(attempt)}@${attempt.offset + index}`
      const owner = owners.get(name)
      if (owner !== undefined && owner !== value) yield { rule: 'changed', about: `${name} was given to '${owner}' and to '${value}'` }
      owners.set(name, value)
    }
  }
}

/** I6: what one producer sent to one partition is there in the order in which it was first sent, without a hole. */
export function* checkOrder(history: History, index: LogIndex): Generator<Violation> {
  const batches = new Map<string, { batch: number; isIdempotent: boolean; session: string; index: number }>()
  for (const { producer, batch, values, sequence, topicId, partition } of history.attempts) {
    const session = `${producer}/${topicId}/${partition}/${sequence?.producerId}/${sequence?.producerEpoch}`
    values.forEach((value, position) => batches.set(value, { batch, isIdempotent: sequence !== undefined, session, index: position }))
  }
  for (const final of history.finals) {
    const last = new Map<string, { batch: number; index: number }>()
    for (const { offset, value } of final.records) {
      const from = batches.get(value)
      // Who sends without a sequence, and again after a loss, gets what the network makes of it.
      if (from === undefined || !from.isIdempotent || index.placesOf(value).length > 1) continue
      const before = last.get(from.session)
      if (before !== undefined && (from.batch < before.batch || (from.batch === before.batch && from.index <= before.index))) {
        yield { rule: 'reordered', about: `${at(final, offset)}: '${value}' is behind what was sent after it` }
      }
      if (before !== undefined && from.batch > before.batch + 1 && !index.isCompacted(final)) {
        yield { rule: 'lost', about: `${at(final, offset)}: ${from.batch - before.batch - 1} batches before '${value}'` }
      }
      last.set(from.session, from)
    }
  }
}
