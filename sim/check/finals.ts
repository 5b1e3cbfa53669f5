import { nextSequence } from '../../broker/protocol/record-batch.ts'
import type { FinalLog, History } from './history.ts'
import { at, keyOf, type LogIndex, markersOf } from './log-index.ts'
import type { Violation } from './violation.ts'

/** What can be said of the logs alone, as they are in the end. */
export function* checkFinals({ finals }: History, index: LogIndex): Generator<Violation> {
  for (const final of finals) {
    const isCompacted = index.isCompacted(final)
    yield* checkContiguity(final, isCompacted)
    yield* checkEpochs(final)
    if (!isCompacted) yield* checkSequences(final)
  }
}

/** I18: what is in sync holds what the leader holds, batch by batch. */
export function* checkReplicas({ finals, replicas }: History, index: LogIndex): Generator<Violation> {
  const leaders = new Map(finals.map((final) => [keyOf(final), final]))
  for (const replica of replicas) {
    const leader = leaders.get(keyOf(replica))!
    const values = new Map(leader.records.map(({ offset, value }) => [offset, value]))
    for (const { offset, value } of replica.records) {
      if (values.has(offset) && values.get(offset) !== value) {
        yield { rule: 'unequal', about: `${at(replica, offset)}: broker ${replica.broker} has '${value}', and the leader '${values.get(offset)}'` }
      }
    }
    const epochs = new Map(leader.batches.map(({ baseOffset, leaderEpoch }) => [baseOffset, leaderEpoch]))
    for (const { baseOffset, leaderEpoch } of replica.batches) {
      const due = epochs.get(baseOffset)
      // Each replica compacts for itself, and when it does is its own affair.
      if (due === undefined && index.isCompacted(replica)) continue
      if (due !== leaderEpoch) {
        yield { rule: 'unequal', about: `${at(replica, baseOffset)}: of epoch ${leaderEpoch} at broker ${replica.broker}, and ${due} at the leader` }
      }
    }
  }
}

/** Offsets follow on each other from the earliest to the latest, except where compaction took some. */
function* checkContiguity(final: FinalLog, isCompacted: boolean): Generator<Violation> {
  let due = final.earliest
  const markers = markersOf(final)
  const skipMarkers = () => {
    while (markers.has(due)) due++
  }
  for (const { offset, value } of final.records) {
    skipMarkers()
    if (isCompacted ? offset < due : offset !== due) yield { rule: 'gap', about: `${at(final, offset)} where ${due} was due` }
    if (value === '') yield { rule: 'damaged', about: at(final, offset) }
    due = offset + 1
  }
  skipMarkers()
  if (isCompacted ? due > final.latest : due !== final.latest) yield { rule: 'lost', about: `${at(final, due)}: the log ends there, and not at ${final.latest} as it says` }
}

/** I18 as far as one log shows it: who leads later writes behind who led before. */
function* checkEpochs(final: FinalLog): Generator<Violation> {
  let before = -1
  for (const { baseOffset, leaderEpoch } of final.batches) {
    if (leaderEpoch < before) yield { rule: 'epoch', about: `${at(final, baseOffset)} of epoch ${leaderEpoch} behind one of ${before}` }
    before = Math.max(before, leaderEpoch)
  }
}

/** I7: each batch of a producer's session goes on where the one before ended. */
function* checkSequences(final: FinalLog): Generator<Violation> {
  const next = new Map<string, number>()
  for (const { baseOffset, recordCount, producerId, producerEpoch, baseSequence, marker } of final.batches) {
    if (producerId < 0 || marker !== undefined) continue
    const session = `${producerId}/${producerEpoch}`
    const due = next.get(session)
    // A session that began before the earliest offset is only known from there on.
    const isKnown = due !== undefined || final.earliest === 0
    if (isKnown && baseSequence !== (due ?? 0)) {
      yield { rule: 'sequence', about: `${at(final, baseOffset)}: sequence ${baseSequence} of ${session}, where ${due ?? 0} was due` }
    }
    next.set(session, nextSequence(baseSequence, recordCount))
  }
}
