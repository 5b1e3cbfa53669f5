import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { History, Listing, Poll } from './history.ts'
import { at, keyOf, type LogIndex } from './log-index.ts'
import type { TransactionIndex } from './transaction-index.ts'
import type { Violation } from './violation.ts'

/** I3, I8: what consumers saw is what is there in the end, in order, without a gap, and from where they asked. */
export function* checkPolls(history: History, index: LogIndex, ends: TransactionIndex): Generator<Violation> {
  const next = new Map<string, number>()
  const seen = new Map<string, string>()
  const retained = new Map(history.topics.map(({ topicId, retentionMs }) => [topicId, retentionMs]))
  const starts = earliestSeen(history)
  /** Whether a reader is rightly not shown what is there. Compaction has a check of its own. */
  const isSkipped = (poll: Poll, offset: number): boolean => index.isCompacted(poll) || index.isMarker(poll, offset) ||
    // Where the run ended before the log was read, nobody can say.
    (poll.lastStable !== undefined && (!index.has(poll) || ends.isHidden(index.valueAt(poll, offset))))
  const sent = new Map(history.attempts.flatMap((attempt) => attempt.values.map((value) => [value, keyOf(attempt)])))
  for (const poll of history.polls) {
    const session = `${poll.consumer}/${keyOf(poll)}`
    yield* checkPoll(poll, {
      due: next.get(session), starts, isKept: retained.get(poll.topicId) === Infinity, isSkipped: (offset) => isSkipped(poll, offset),
    })
    for (const { offset, value } of poll.records) {
      if (value === '') yield { rule: 'damaged', about: `${poll.consumer} at ${at(poll, offset)}` }
      else if (sent.get(value) !== keyOf(poll)) yield { rule: 'phantom', about: `${poll.consumer} saw '${value}' at ${at(poll, offset)}` }
      yield* checkSighting(poll, { offset, value, index, seen })
      next.set(session, offset + 1)
    }
    if (poll.error === ErrorCode.OFFSET_OUT_OF_RANGE) next.delete(session)
  }
  yield* checkFresh(history)
}

interface Due {
  /** Where the consumer stands. */
  readonly due: number | undefined
  readonly starts: ReadonlyMap<string, number>
  /** Nothing of the topic is ever deleted. */
  readonly isKept: boolean
  isSkipped(offset: number): boolean
}

function* checkPoll(poll: Poll, { due, starts, isKept, isSkipped }: Due): Generator<Violation> {
  const { fetchOffset, records, highWatermark, logStartOffset, consumer } = poll
  if (poll.error === ErrorCode.OFFSET_OUT_OF_RANGE) {
    // Nothing that was read or acknowledged is ever above the end; below the start only what was deleted.
    const start = starts.get(keyOf(poll)) ?? 0
    if (isKept || fetchOffset >= start) yield { rule: 'dismissed', about: `${consumer} was told that there is no ${at(poll, fetchOffset)}` }
    return
  }
  if (poll.error !== ErrorCode.NONE) return
  if (due !== undefined && fetchOffset < due) yield { rule: 'gap', about: `${consumer} went back from ${due} to ${at(poll, fetchOffset)}` }
  let expected = due ?? fetchOffset
  for (const { offset } of records) {
    while (expected < offset && isSkipped(expected)) expected++
    if (offset !== expected) yield { rule: 'gap', about: `${consumer}: ${at(poll, offset)} where ${expected} was due` }
    expected = offset + 1
    if (offset >= highWatermark) yield { rule: 'out of bounds', about: `${consumer}: ${at(poll, offset)} above the high watermark ${highWatermark}` }
    if (offset >= (poll.lastStable ?? Infinity)) yield { rule: 'out of bounds', about: `${consumer}: ${at(poll, offset)} above what is stable, ${poll.lastStable}` }
    if (offset < logStartOffset) yield { rule: 'out of bounds', about: `${consumer}: ${at(poll, offset)} below the log start ${logStartOffset}` }
    if (offset < fetchOffset) yield { rule: 'out of bounds', about: `${consumer}: ${at(poll, offset)} below ${fetchOffset}, which it asked for` }
  }
}

/** By place: the largest earliest offset that anybody was told. */
function earliestSeen(history: History): Map<string, number> {
  const starts = new Map<string, number>()
  const raise = (place: string, offset: number) => starts.set(place, Math.max(starts.get(place) ?? 0, offset))
  for (const final of history.finals) raise(keyOf(final), final.earliest)
  for (const listing of history.listings) if (listing.which === 'earliest') raise(keyOf(listing), listing.offset)
  for (const poll of history.polls) if (poll.error === ErrorCode.NONE) raise(keyOf(poll), poll.logStartOffset)
  return starts
}

function* checkSighting(
  poll: Poll, { offset, value, index, seen }: { offset: number; value: string; index: LogIndex; seen: Map<string, string> },
): Generator<Violation> {
  const place = `${keyOf(poll)}@${offset}`
  const before = seen.get(place)
  seen.set(place, value)
  if (before !== undefined && before !== value) {
    yield { rule: 'changed', about: `${at(poll, offset)} was '${before}', and ${poll.consumer} saw '${value}'` }
  }
  if (!index.has(poll) || offset < index.earliest(poll)) return
  const now = index.valueAt(poll, offset)
  if (now === undefined && index.isCompacted(poll)) return
  if (now === undefined) yield { rule: 'lost', about: `${at(poll, offset)}: '${value}', which ${poll.consumer} saw at ${poll.endedAt.toFixed(0)} ms` }
  else if (now !== value) yield { rule: 'changed', about: `${at(poll, offset)}: ${poll.consumer} saw '${value}', and in the end it is '${now}'` }
}

/** I9 for reads: who asks after an acknowledgement came is told of an end behind it. */
function* checkFresh(history: History): Generator<Violation> {
  // Whoever does not know yet that it is deposed may serve what was committed when it led.
  if (!history.isAlone) return
  const acknowledged = endsByTime(history)
  for (const poll of history.polls) {
    if (poll.error !== ErrorCode.NONE) continue
    const end = endBefore(acknowledged.get(keyOf(poll)), poll.invokedAt)
    if (poll.highWatermark < end) {
      yield { rule: 'stale', about: `${poll.consumer} was told of high watermark ${poll.highWatermark}, after ${at(poll, end - 1)} was acknowledged` }
    }
  }
}

/** I9 and I19 for the ends: the latest is behind whatever was acknowledged before; neither end goes back. */
export function* checkEnds(history: History): Generator<Violation> {
  const acknowledged = endsByTime(history)
  const listings = history.listings.toSorted((one, other) => one.invokedAt - other.invokedAt)
  const answered = Map.groupBy(listings, (one) => `${keyOf(one)}/${one.which}`)
  for (const of of answered.values()) {
    // A new leader may not have heard yet of the last records that retention took: they are there once more, and go again.
    if (history.isAlone || of[0]!.which !== 'earliest') yield* checkMonotonic(of)
  }
  for (const listing of listings) {
    const end = endBefore(acknowledged.get(keyOf(listing)), listing.invokedAt)
    if (listing.which === 'latest' && listing.offset < end) {
      yield { rule: 'stale', about: `the latest was ${listing.offset}, after ${at(listing, end - 1)} was acknowledged` }
    }
  }
  yield* checkFinalEnds(history)
}

/** In the order in which they were asked. A later question is one that was asked when the answer was there. */
function* checkMonotonic(listings: readonly Listing[]): Generator<Violation> {
  const byEnd = listings.toSorted((one, other) => one.endedAt - other.endedAt)
  let [ended, highest] = [0, -Infinity]
  for (const listing of listings) {
    for (; ended < byEnd.length && byEnd[ended]!.endedAt < listing.invokedAt; ended++) highest = Math.max(highest, byEnd[ended]!.offset)
    if (listing.offset < highest) {
      yield { rule: 'stale', about: `the ${listing.which} of ${at(listing, listing.offset)} was ${highest} before` }
    }
  }
}

function* checkFinalEnds(history: History): Generator<Violation> {
  const retained = new Map(history.topics.map(({ topicId, retentionMs }) => [topicId, retentionMs]))
  for (const final of history.finals) {
    if (retained.get(final.topicId) === Infinity && final.earliest > 0) {
      yield { rule: 'trimmed early', about: `${at(final, 0)} to ${final.earliest} are gone, and nothing is to be deleted` }
    }
    for (const { offset, which } of history.listings.filter((one) => keyOf(one) === keyOf(final) && one.endedAt < final.readAt)) {
      if (offset > (which !== 'earliest' ? final.latest : history.isAlone ? final.earliest : Infinity)) {
        yield { rule: 'stale', about: `the ${which} of ${at(final, offset)} went back in the end` }
      }
    }
  }
}

interface End {
  readonly endedAt: number
  /** Behind everything that was acknowledged by then. */
  readonly end: number
}

function endsByTime(history: History): Map<string, End[]> {
  const ends = new Map<string, End[]>()
  const acks = history.attempts.filter(({ outcome }) => outcome === 'ok').toSorted((one, other) => one.endedAt - other.endedAt)
  for (const attempt of acks) {
    const steps = ends.get(keyOf(attempt)) ?? []
    ends.set(keyOf(attempt), steps)
    const end = Math.max(attempt.offset + attempt.values.length, steps.at(-1)?.end ?? 0)
    steps.push({ endedAt: attempt.endedAt, end })
  }
  return ends
}

/** The last step that was over before `moment`. */
function endBefore(steps: readonly End[] | undefined, moment: number): number {
  let [low, high] = [0, steps?.length ?? 0]
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps![middle]!.endedAt < moment) low = middle + 1
    else high = middle
  }
  return low === 0 ? 0 : steps![low - 1]!.end
}
