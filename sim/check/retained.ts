import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { History, Place } from './history.ts'
import { at, keyOf } from './log-index.ts'
import type { Violation } from './violation.ts'

interface Start {
  /** When somebody was told of it. */
  readonly toldAt: number
  readonly offset: number
}

/** What is deleted is old enough, by the time at which it is first said to be gone. */
export function* checkRetained(history: History): Generator<Violation> {
  const retention = new Map(history.topics.map(({ topicId, retentionMs }) => [topicId, retentionMs]))
  const starts = startsByTime(history)
  // A record has the time at which it was first sent, however often it was sent again.
  const made = new Map<string, number>()
  for (const attempt of history.attempts) {
    made.set(attempt.values[0]!, Math.min(made.get(attempt.values[0]!) ?? Infinity, attempt.invokedAt))
  }
  for (const attempt of history.attempts) {
    if (attempt.outcome !== 'ok') continue
    const last = attempt.offset + attempt.values.length - 1
    const gone = firstAbove(starts.get(keyOf(attempt)) ?? [], last)
    const retentionMs = retention.get(attempt.topicId) ?? Infinity
    if (gone === undefined) continue
    const ageMs = gone.toldAt - made.get(attempt.values[0]!)! + history.skewMsMax
    if (ageMs < retentionMs) {
      yield { rule: 'trimmed early', about: `${at(attempt, last)} was gone at ${gone.toldAt.toFixed(0)} ms, when it was at most ${ageMs.toFixed(0)} ms old` }
    }
  }
}

/** By place: each time that somebody was told of a start above all before. */
function startsByTime(history: History): Map<string, Start[]> {
  const told: (Place & Start)[] = [
    ...history.listings.filter(({ which }) => which === 'earliest').map((one) => ({ ...one, toldAt: one.endedAt })),
    ...history.polls.filter(({ error }) => error === ErrorCode.NONE).map((one) => ({ ...one, toldAt: one.endedAt, offset: one.logStartOffset })),
    ...history.finals.map((one) => ({ ...one, toldAt: one.readAt, offset: one.earliest })),
  ]
  const starts = new Map<string, Start[]>()
  for (const { topicId, partition, toldAt, offset } of told.toSorted((one, other) => one.toldAt - other.toldAt)) {
    const known = starts.get(keyOf({ topicId, partition })) ?? []
    starts.set(keyOf({ topicId, partition }), known)
    if (offset > (known.at(-1)?.offset ?? 0)) known.push({ toldAt, offset })
  }
  return starts
}

function firstAbove(starts: readonly Start[], offset: number): Start | undefined {
  return starts.find((start) => start.offset > offset)
}
