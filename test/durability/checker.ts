// Holds a history against what was promised (I1 and I3 to I8). It knows nothing of the broker: it
// sees what clients sent, what they were told, and what they read. It is itself tested by breaking good histories
// (test/checker/).

import { nextSequence } from '../../broker/protocol/record-batch.ts'
import type { Attempt, History, LoggedBatch, Sighting } from './history.ts'

export interface Violation {
  readonly rule:
    | 'lost'
    | 'moved'
    | 'duplicate'
    | 'reordered'
    | 'phantom'
    | 'refused but written'
    | 'gap'
    | 'changed'
    | 'sequence'
    | 'dismissed'
    | 'damaged'
  readonly about: string
}

const place = ({ partition, offset }: { partition: number; offset: number }) => `${partition}@${offset}`

/** Every broken promise; empty for a good history. */
export function check(history: History): Violation[] {
  return [
    ...checkOffsets(history.final),
    ...[history.final, ...history.polls].flatMap((sightings) => [...checkBytes(sightings)]),
    ...checkAttempts(history),
    ...checkOrder(history),
    ...checkPolls(history),
    ...checkSequences(history.batches),
    ...history.dismissals.map((about): Violation => ({ rule: 'dismissed', about })),
  ]
}

/** Offsets of each partition follow on each other: nothing is compacted or deleted here. */
function* checkOffsets(final: readonly Sighting[]): Generator<Violation> {
  const next = new Map<number, number>()
  for (const { partition, offset } of final) {
    const expected = next.get(partition) ?? 0
    if (offset !== expected) yield { rule: 'gap', about: `partition ${partition}: offset ${offset} where ${expected} was due` }
    next.set(partition, offset + 1)
  }
}

/** I16: a value is the one that was made, by the checksum that it carries: nobody is given other bytes. */
function* checkBytes(sightings: readonly Sighting[]): Generator<Violation> {
  for (const sighting of sightings) {
    if (sighting.isDamaged === true) yield { rule: 'damaged', about: `${place(sighting)}: '${sighting.value}' has other bytes` }
  }
}

function placesOf(final: readonly Sighting[]): Map<string, Sighting[]> {
  const places = new Map<string, Sighting[]>()
  for (const sighting of final) {
    const known = places.get(sighting.value)
    if (known === undefined) places.set(sighting.value, [sighting])
    else known.push(sighting)
  }
  return places
}

/** I1, I3, I4, I5: what was acknowledged is there, once, where the acknowledgement said; what was refused is not. */
function* checkAttempts({ attempts, final }: History): Generator<Violation> {
  const places = placesOf(final)
  const sent = new Set<string>()
  for (const attempt of attempts) {
    for (const [index, value] of attempt.values.entries()) {
      sent.add(value)
      yield* checkValue({ attempt, index, value, seen: places.get(value) ?? [] })
    }
  }
  for (const sighting of final) {
    if (!sent.has(sighting.value)) yield { rule: 'phantom', about: `${place(sighting)}: '${sighting.value}', which nobody sent` }
  }
}

interface SentValue {
  readonly attempt: Attempt
  readonly index: number
  readonly value: string
  readonly seen: readonly Sighting[]
}

function* checkValue({ attempt, index, value, seen }: SentValue): Generator<Violation> {
  const { outcome, partition, offset } = attempt
  if (seen.length > 1) yield { rule: 'duplicate', about: `'${value}' at ${seen.map(place).join(' and ')}` }
  if (seen.some((one) => one.partition !== partition))
    yield { rule: 'moved', about: `'${value}' was sent to ${partition}, and is at ${seen.map(place).join()}` }
  if (outcome === 'fail' && seen.length > 0)
    yield { rule: 'refused but written', about: `'${value}' (${attempt.reason}) is at ${place(seen[0]!)}` }
  if (outcome !== 'ok') return
  const acknowledged = { partition, offset: offset + index }
  if (seen.length === 0) yield { rule: 'lost', about: `'${value}', acknowledged at ${place(acknowledged)}` }
  else if (!seen.some((one) => one.offset === acknowledged.offset)) {
    yield { rule: 'moved', about: `'${value}', acknowledged at ${place(acknowledged)}, is at ${place(seen[0]!)}` }
  }
}

/** I6: what one producer sent to one partition is there in the order in which it was first sent. */
function* checkOrder({ attempts, final }: History): Generator<Violation> {
  const origin = new Map<string, { producer: number; order: number; isIdempotent: boolean }>()
  const counts = new Map<string, number>()
  for (const { producer, partition, values, isIdempotent } of attempts) {
    for (const value of values) {
      const session = `${producer}/${partition}`
      const order = counts.get(session) ?? 0
      counts.set(session, order + 1)
      origin.set(value, { producer, order, isIdempotent })
    }
  }
  const last = new Map<string, number>()
  for (const sighting of final) {
    const from = origin.get(sighting.value)
    if (from === undefined) continue
    const session = `${from.producer}/${sighting.partition}`
    const before = last.get(session) ?? -1
    if (from.order < before)
      yield { rule: 'reordered', about: `${place(sighting)}: '${sighting.value}' is behind what was sent after it` }
    // An idempotent producer leaves nothing out: what follows was only sent because what went before was kept.
    if (from.isIdempotent && from.order > before + 1)
      yield { rule: 'lost', about: `${place(sighting)}: ${from.order - before - 1} values before '${sighting.value}'` }
    last.set(session, Math.max(before, from.order))
  }
}

/** I3, I8: what a consumer saw is what is there in the end, and it saw it without a gap. */
function* checkPolls({ polls, final }: History): Generator<Violation> {
  const values = new Map(final.map((sighting) => [place(sighting), sighting.value]))
  for (const [consumer, sightings] of polls.entries()) {
    const next = new Map<number, number>()
    for (const sighting of sightings) {
      const { partition, offset, value } = sighting
      const expected = next.get(partition) ?? offset
      if (offset !== expected) yield { rule: 'gap', about: `consumer ${consumer}: ${place(sighting)} where ${expected} was due` }
      next.set(partition, offset + 1)
      const now = values.get(place(sighting))
      if (now === undefined) yield { rule: 'lost', about: `${place(sighting)}: '${value}', which a consumer saw` }
      else if (now !== value)
        yield { rule: 'changed', about: `${place(sighting)}: a consumer saw '${value}', and now it is '${now}'` }
    }
  }
}

/** I7: in the log, each batch of a producer's session goes on where the one before ended. */
function* checkSequences(batches: readonly LoggedBatch[]): Generator<Violation> {
  const next = new Map<string, number>()
  for (const { partition, baseOffset, recordCount, producerId, producerEpoch, baseSequence } of batches) {
    if (producerId < 0) continue
    const session = `${partition}/${producerId}/${producerEpoch}`
    const expected = next.get(session) ?? 0
    if (baseSequence !== expected)
      yield { rule: 'sequence', about: `${partition}@${baseOffset}: sequence ${baseSequence} where ${expected} was due` }
    next.set(session, nextSequence(baseSequence, recordCount))
  }
}
