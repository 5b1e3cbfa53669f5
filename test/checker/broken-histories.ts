// Ways to break a good history of a simulation, each with the rule that has to notice. What needs transactions (torn,
// aborted and mixed ones) waits until there are any.

import assert from 'node:assert/strict'
import type { Attempt, FinalLog, History, Listing, OffsetCall, Poll, TopicLife } from '../../sim/check/history.ts'
import { keyOf } from '../../sim/check/log-index.ts'
import type { Rule } from '../../sim/check/violation.ts'

type Mutable<T> = T extends readonly (infer E)[] ? Mutable<E>[] : T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T

export interface Breach {
  readonly name: string
  readonly rule: Rule
  breakIt(history: MutableHistory): void
}

export type MutableHistory = Mutable<History>

function the<T>(found: T | undefined): T {
  assert.ok(found !== undefined, 'the history has nothing to break in this way: another seed is needed')
  return found
}

const topic = (history: MutableHistory, name: string): Mutable<TopicLife> => the(history.topics.find((one) => one.name === name))

/** The log of a partition of which nothing is ever deleted. */
function kept(history: MutableHistory): Mutable<FinalLog> {
  return the(history.finals.find(({ topicId, records }) => topicId === topic(history, 'tiered').topicId && records.length > 40))
}

const twoEpochs = (history: MutableHistory): Mutable<FinalLog> => the(history.finals.find(({ topicId, batches }) =>
  topicId === topic(history, 'tiered').topicId && batches.at(-1)!.leaderEpoch > batches[0]!.leaderEpoch))

const trimmed = (history: MutableHistory): Mutable<FinalLog> =>
  the(history.finals.find(({ topicId, earliest }) => topicId === topic(history, 'short').topicId && earliest > 0))

/** Acknowledged batches of one log, in the order of their offsets. */
function acks(history: MutableHistory, log: Mutable<FinalLog>, isIdempotent: boolean): Mutable<Attempt>[] {
  return history.attempts
    .filter((one) => keyOf(one) === keyOf(log) && one.outcome === 'ok' && (one.sequence !== undefined) === isIdempotent)
    .sort((one, other) => one.offset - other.offset)
}

const middle = <T>(of: readonly T[]): T => the(of[of.length >> 1])

/** Fetches that brought something. */
const polls = (history: MutableHistory, log: Mutable<FinalLog>): Mutable<Poll>[] =>
  history.polls.filter((one) => keyOf(one) === keyOf(log) && one.records.length > 1)

const listings = (history: MutableHistory, log: Mutable<FinalLog>, which: Listing['which']): Mutable<Listing>[] =>
  history.listings.filter((one) => keyOf(one) === keyOf(log) && one.which === which)

/** The last look at a committed offset of a group that commits without transactions, after at least two acknowledged commits. */
function look(history: MutableHistory): { readonly seen: Mutable<OffsetCall>; readonly commits: Mutable<OffsetCall>[] } {
  const committed = history.offsets.filter(({ kind, outcome }) => kind === 'commit' && outcome === 'ok')
  const isSame = (one: OffsetCall, other: OffsetCall) => one.group === other.group && one.partition === other.partition
  const looks = history.offsets.filter(({ kind, outcome }) => kind === 'fetch' && outcome === 'ok')
  const seen = the(looks.findLast((one) => committed.some((commit) => isSame(commit, one))))
  const commits = history.offsets.slice(0, history.offsets.indexOf(seen)).filter((one) => committed.includes(one) && isSame(one, seen))
  return { seen, commits }
}

function swapValues(log: Mutable<FinalLog>, one: number, other: number): void {
  const [first, second] = [log.records, log.records].map((records, index) => the(records.find(({ offset }) => offset === [one, other][index])))
  const value = first!.value
  first!.value = second!.value
  second!.value = value
}

const lostBreaches: Breach[] = [
  { name: 'an acknowledged value is another one in the end', rule: 'lost', breakIt: (history) => {
    const log = kept(history)
    const ack = middle(acks(history, log, false))
    the(log.records.find(({ offset }) => offset === ack.offset)).value = 'nobody:1'
  } },
  { name: 'the last records are gone, and the log says that it ends there', rule: 'lost', breakIt: (history) => {
    const log = kept(history)
    log.records.length -= 5
    log.latest -= 5
  } },
  { name: 'the log ends before it says', rule: 'lost', breakIt: (history) => void kept(history).latest++ },
  { name: 'a batch is missing between two of its session', rule: 'lost', breakIt: (history) => {
    const log = kept(history)
    const { producer, batch } = middle(acks(history, log, true))
    for (const attempt of history.attempts) if (attempt.producer === producer && attempt.batch >= batch) attempt.batch++
  } },
  { name: 'a consumer saw what is not there in the end', rule: 'lost', breakIt: (history) => {
    const log = kept(history)
    const poll = the(polls(history, log).at(-1))
    poll.records.push({ offset: log.latest, value: 'nobody:2' })
    poll.highWatermark = log.latest + 1
  } },
  { name: 'an acknowledged batch is elsewhere', rule: 'moved', breakIt: (history) => void middle(acks(history, kept(history), true)).offset-- },
  { name: 'two values have changed places', rule: 'moved', breakIt: (history) => {
    const log = kept(history)
    const { offset } = middle(acks(history, log, true).filter(({ values }) => values.length > 1))
    swapValues(log, offset, offset + 1)
  } },
  { name: 'two values of one batch have changed places', rule: 'reordered', breakIt: (history) => {
    const log = kept(history)
    const { offset } = middle(acks(history, log, true).filter(({ values }) => values.length > 1))
    swapValues(log, offset, offset + 1)
  } },
  { name: 'two batches of one producer have changed places', rule: 'reordered', breakIt: (history) => {
    const log = kept(history)
    const all = acks(history, log, true)
    const index = all.findIndex(({ producer, sequence }, at) => at > 5 && all[at + 1]?.producer === producer &&
      all[at + 1]?.sequence?.producerId === sequence?.producerId)
    swapValues(log, the(all[index]).offset, the(all[index + 1]).offset)
  } },
  { name: 'an idempotent value is there twice', rule: 'duplicate', breakIt: (history) => {
    const log = kept(history)
    log.records.push({ offset: log.latest++, value: middle(acks(history, log, true)).values[0]! })
  } },
  { name: 'a value that was sent once is there twice', rule: 'duplicate', breakIt: (history) => {
    const log = kept(history)
    log.records.push({ offset: log.latest++, value: middle(acks(history, log, false)).values[0]! })
  } },
  { name: 'what was refused is there', rule: 'refused but written', breakIt: (history) => {
    const { producer, batch } = middle(acks(history, kept(history), true))
    for (const attempt of history.attempts) if (attempt.producer === producer && attempt.batch === batch) attempt.outcome = 'fail'
  } },
  { name: 'there is a value that nobody sent', rule: 'phantom', breakIt: (history) => {
    const log = kept(history)
    log.records.push({ offset: log.latest++, value: 'nobody:3' })
  } },
  { name: 'there is a value that was sent to another topic', rule: 'phantom', breakIt: (history) => {
    const log = kept(history)
    const other = the(history.attempts.find(({ topicId }) => topicId === topic(history, 'churn').topicId))
    log.records.push({ offset: log.latest++, value: other.values[0]! })
  } },
  { name: 'a consumer sees a value that was sent to another topic', rule: 'phantom', breakIt: (history) => {
    const churn = topic(history, 'churn')
    const other = acks(history, kept(history), true)[0]!
    the(history.polls.find(({ topicId, records }) => topicId === churn.topicId && records.length > 0)).records[0]!.value = other.values[0]!
  } },
]

const logBreaches: Breach[] = [
  { name: 'a record in the log is damaged', rule: 'damaged', breakIt: (history) => void (middle(kept(history).records).value = '') },
  { name: 'a consumer gets a damaged record', rule: 'damaged', breakIt: (history) => void (middle(polls(history, kept(history))).records[0]!.value = '') },
  { name: 'an offset is left out in the log', rule: 'gap', breakIt: (history) => {
    const log = kept(history)
    log.records.splice(log.records.length >> 1, 1)
  } },
  { name: 'an epoch in the log goes back', rule: 'epoch', breakIt: (history) => {
    const log = twoEpochs(history)
    log.batches.at(-1)!.leaderEpoch = log.batches[0]!.leaderEpoch
  } },
  { name: 'an older epoch acknowledges after a newer one has', rule: 'epoch', breakIt: (history) => {
    const log = twoEpochs(history)
    const all = acks(history, log, false)
    Object.assign(all[0]!, { invokedAt: all.at(-1)!.endedAt + 1, endedAt: all.at(-1)!.endedAt + 2 })
  } },
  { name: 'a sequence is left out', rule: 'sequence', breakIt: (history) => {
    middle(kept(history).batches.filter(({ producerId }) => producerId >= 0)).baseSequence++
  } },
  { name: 'a sequence comes twice', rule: 'sequence', breakIt: (history) => {
    const log = kept(history)
    log.batches.push(the(log.batches.findLast(({ producerId }) => producerId >= 0)))
  } },
  { name: 'one offset was given to two batches', rule: 'changed', breakIt: (history) => {
    const all = acks(history, kept(history), true)
    all[3]!.offset = all[2]!.offset
  } },
  { name: 'records of a topic that keeps everything are deleted', rule: 'trimmed early', breakIt: (history) => {
    const log = kept(history)
    log.records = log.records.slice(3)
    log.earliest = log.records[0]!.offset
  } },
  { name: 'retention deletes what is young', rule: 'trimmed early', breakIt: (history) => {
    const log = trimmed(history)
    const ack = acks(history, log, false).findLast(({ offset }) => offset < log.earliest)
    Object.assign(the(ack), { invokedAt: log.readAt - 2_000, endedAt: log.readAt - 1_000 })
  } },
]

const readBreaches: Breach[] = [
  { name: 'a consumer sees another value than is there in the end', rule: 'changed', breakIt: (history) => {
    const log = kept(history)
    middle(polls(history, log)).records[0]!.value = acks(history, log, true)[0]!.values[0]!
  } },
  { name: 'two consumers see two values where the log is deleted since', rule: 'changed', breakIt: (history) => {
    const log = trimmed(history)
    const gone = polls(history, log).filter(({ records }) => records[0]!.offset < log.earliest)
    const twice = gone.find((one) => gone.some((other) => other !== one && other.records.some(({ offset }) => offset === one.records[0]!.offset)))
    the(twice).records[0]!.value = acks(history, log, true).at(-1)!.values[0]!
  } },
  { name: 'a consumer goes back', rule: 'gap', breakIt: (history) => void history.polls.push(structuredClone(middle(polls(history, kept(history))))) },
  { name: 'a consumer leaves something out', rule: 'gap', breakIt: (history) => {
    const poll = middle(polls(history, kept(history)).filter(({ consumer }) => consumer.startsWith('tail')))
    history.polls.splice(history.polls.indexOf(poll), 1)
  } },
  { name: 'a fetch brings what is above its high watermark', rule: 'out of bounds', breakIt: (history) => {
    const poll = middle(polls(history, kept(history)))
    poll.highWatermark = poll.records.at(-1)!.offset
  } },
  { name: 'a fetch brings what is below its log start', rule: 'out of bounds', breakIt: (history) => {
    const poll = middle(polls(history, kept(history)))
    poll.logStartOffset = poll.records[0]!.offset + 1
  } },
  { name: 'a fetch brings what is below the offset that was asked for', rule: 'out of bounds', breakIt: (history) => {
    const poll = middle(polls(history, kept(history)))
    poll.fetchOffset = poll.records[0]!.offset + 1
  } },
  { name: 'a consumer is told that an offset which exists is out of range', rule: 'dismissed', breakIt: (history) => {
    middle(polls(history, kept(history))).error = 1
  } },
  { name: 'a consumer of a topic that deletes is told that an offset which is still there is out of range', rule: 'dismissed',
    breakIt: (history) => {
      const log = trimmed(history)
      the(polls(history, log).find(({ fetchOffset }) => fetchOffset > log.earliest)).error = 1
    } },
  { name: 'a fetch does not see what was acknowledged before', rule: 'stale', breakIt: (history) => {
    Object.assign(the(polls(history, kept(history)).at(-1)), { highWatermark: 1, records: [] })
  } },
  { name: 'the latest offset is below what was acknowledged before', rule: 'stale', breakIt: (history) => {
    the(listings(history, kept(history), 'latest').at(-1)).offset = 1
  } },
  { name: 'the latest offset goes back', rule: 'stale', breakIt: (history) => {
    the(listings(history, kept(history), 'latest')[0]).offset = 1_000_000
  } },
  { name: 'the earliest offset goes back', rule: 'stale', breakIt: (history) => {
    const log = trimmed(history)
    the(listings(history, log, 'earliest')[0]).offset = log.earliest + 1
  } },
]

const otherBreaches: Breach[] = [
  { name: 'a commit that was acknowledged is undone', rule: 'commit', breakIt: (history) => {
    const { seen, commits } = look(history)
    seen.offset = the(commits.at(-2)).offset
  } },
  { name: 'a committed offset is one that nobody committed', rule: 'commit', breakIt: (history) => void (look(history).seen.offset = 1_000_000) },
  { name: 'a committed offset is forgotten', rule: 'commit', breakIt: (history) => void (look(history).seen.offset = -1) },
  { name: 'a commit that was refused takes place', rule: 'commit', breakIt: (history) => {
    const { seen, commits } = look(history)
    const last = the(commits.at(-1))
    last.outcome = 'fail'
    seen.offset = last.offset
  } },
  { name: 'an idempotent producer is told that its sequence is wrong', rule: 'dismissed', breakIt: (history) => void history.dismissals.push('error 45') },
  { name: 'a broker fails in a way that nobody foresaw', rule: 'defect', breakIt: (history) => void history.defects.push('TypeError') },
]

export const breaches: readonly Breach[] = [...lostBreaches, ...logBreaches, ...readBreaches, ...otherBreaches]
