// Ways to break a good history of transactions and of compaction, each with the rule that has to notice.

import assert from 'node:assert/strict'
import { keyOf } from '../../sim/check/log-index.ts'
import type { Place } from '../../sim/check/history.ts'
import type { Rule } from '../../sim/check/violation.ts'
import { out0, out1, table, type goodHistory } from './transactional-history.ts'

type Mutable = ReturnType<typeof goodHistory>

export interface Breach {
  readonly name: string
  readonly rule: Rule
  breakIt(history: Mutable): void
}

function the<T>(found: T | undefined): T {
  assert.ok(found !== undefined, 'the history has nothing to break in this way')
  return found
}

const log = (history: Mutable, place: Place) => the(history.finals.find((final) => keyOf(final) === keyOf(place)))
const record = (history: Mutable, place: Place, value: string) => the(log(history, place).records.find((one) => one.value === value))
const transaction = (history: Mutable, name: string) => the(history.transactions.find((one) => one.name === name))
const polls = (history: Mutable, consumer: string, place: Place) => history.polls.filter((poll) => poll.consumer === consumer && keyOf(poll) === keyOf(place))

/** The marker behind a value, and where it is among the batches. */
function markerOf(history: Mutable, place: Place, value: string) {
  const { offset } = record(history, place, value)
  const batch = the(log(history, place).batches.find(({ baseOffset, lastOffset }) => baseOffset <= offset && offset <= lastOffset))
  return the(log(history, place).batches.find(({ marker, baseOffset, producerId }) => marker !== undefined && baseOffset > offset && producerId === batch.producerId))
}

/** Out of the log, out of what is read, and out of what replicas have: all of the records that are not kept. */
function keepOnly(history: Mutable, place: Place, isKept: (value: string) => boolean): void {
  const final = log(history, place)
  for (const of of [final, the(final.committed), ...history.replicas.filter((replica) => keyOf(replica) === keyOf(place))]) {
    of.records = of.records.filter(({ value }) => isKept(value))
  }
}

const transactionBreaches: Breach[] = [
  { name: 'one of two logs says that a transaction is aborted', rule: 'torn', breakIt: (history) => void (markerOf(history, out1, 'a3').marker = 'abort') },
  { name: 'a transaction of which nobody knew the end has ended in two ways', rule: 'torn', breakIt: (history) => void (markerOf(history, out1, 'b2').marker = 'abort') },
  { name: 'a transaction whose commit was acknowledged is aborted', rule: 'other end', breakIt: (history) => {
    for (const [place, value] of [[out0, 'c1'], [out1, 'c3']] as const) markerOf(history, place, value).marker = 'abort'
  } },
  { name: 'a transaction that was to be aborted is committed', rule: 'other end', breakIt: (history) => {
    for (const [place, value] of [[out0, 'x1'], [out1, 'x2']] as const) markerOf(history, place, value).marker = 'commit'
  } },
  { name: 'a transaction of which nobody asked the end is committed', rule: 'other end', breakIt: (history) => void (markerOf(history, out0, 'x7').marker = 'commit') },
  { name: 'a transaction is committed although that was refused', rule: 'other end', breakIt: (history) => void (transaction(history, 't2').outcome = 'fail') },
  { name: 'a transaction has no end', rule: 'hanging', breakIt: (history) => {
    const { batches } = log(history, out0)
    batches.splice(batches.indexOf(markerOf(history, out0, 'c1')), 1)
  } },
  { name: 'what is stable ends before the log does', rule: 'hanging', breakIt: (history) => void the(log(history, out0).committed).end-- },
  { name: 'data is behind the end of its transaction', rule: 'late', breakIt: (history) => {
    const final = log(history, out0)
    const [data, marker] = [the(final.batches.find(({ baseOffset }) => baseOffset === record(history, out0, 'b1').offset)), markerOf(history, out0, 'b1')]
    const second = { ...data, baseOffset: marker.baseOffset, lastOffset: marker.baseOffset }
    Object.assign(marker, { baseOffset: data.baseOffset, lastOffset: data.baseOffset })
    final.batches.splice(final.batches.indexOf(data), 2, marker, second)
    record(history, out0, 'b1').offset = second.baseOffset
  } },
  { name: 'a late batch has become part of the next transaction', rule: 'late', breakIt: (history) => {
    for (const attempt of history.attempts) if (attempt.values.includes('c1')) attempt.values.splice(0, 1)
    const late = the(history.attempts.find(({ values }) => values.includes('s1')))
    late.values.push('c1')
  } },
  { name: 'a batch of a session that shares its epoch is in the next transaction', rule: 'late', breakIt: (history) => {
    const [one, other] = ['s1', 's2'].map((value) => the(history.attempts.find(({ values }) => values[0] === value)))
    other!.transaction = one!.transaction!
  } },
  { name: 'a marker is of an older epoch than what is before it', rule: 'late', breakIt: (history) => void (markerOf(history, out0, 'c1').producerEpoch = 0) },
  { name: 'an epoch has markers of both kinds', rule: 'late', breakIt: (history) => {
    const final = log(history, out0)
    const marker = markerOf(history, out0, 'c1')
    final.batches.push({ ...marker, marker: 'abort', baseOffset: final.latest, lastOffset: final.latest })
    final.latest++
  } },
]

const readBreaches: Breach[] = [
  { name: 'a reader of committed records sees an aborted one', rule: 'uncommitted read', breakIt: (history) => {
    the(polls(history, 'committed', out0)[0]).records.push({ ...record(history, out0, 'x1') })
  } },
  { name: 'a reader of committed records sees one before its commit was asked for', rule: 'uncommitted read', breakIt: (history) => {
    transaction(history, 't7').askedAt = the(polls(history, 'committed', out0).at(-1)).endedAt + 1
  } },
  { name: 'an aborted record is read in the end', rule: 'uncommitted read', breakIt: (history) => {
    the(log(history, out1).committed).records.push({ ...record(history, out1, 'x2') })
  } },
  { name: 'a committed record is not read in the end', rule: 'hidden', breakIt: (history) => {
    const { records } = the(log(history, out1).committed)
    records.splice(records.findIndex(({ value }) => value === 'b2'), 1)
  } },
  { name: 'a reader of committed records is not shown one of them', rule: 'gap', breakIt: (history) => {
    the(polls(history, 'committed', out0)[0]).records.splice(1, 1)
  } },
  { name: 'a reader of everything is not shown an aborted record', rule: 'gap', breakIt: (history) => {
    const poll = the(polls(history, 'raw', out0).find(({ records }) => records.some(({ value }) => value === 'x5')))
    poll.records.splice(poll.records.findIndex(({ value }) => value === 'x5'), 1)
  } },
  { name: 'a reader of committed records is shown what is behind the stable end', rule: 'out of bounds', breakIt: (history) => {
    the(polls(history, 'committed', out0).at(-1)).lastStable = 1
  } },
]

const consumedBreaches: Breach[] = [
  { name: 'an input counts twice', rule: 'torn', breakIt: (history) => void (the(transaction(history, 't2').consumed).from = 2) },
  { name: 'an input never counts', rule: 'torn', breakIt: (history) => void (the(transaction(history, 't2').consumed).from = 4) },
  { name: 'an aborted transaction has committed its offsets', rule: 'torn', breakIt: (history) => {
    the(history.offsets.findLast(({ offset }) => offset === 3)).offset = 5
  } },
  { name: 'a committed transaction has not committed its offsets', rule: 'torn', breakIt: (history) => void (the(history.offsets.at(-1)).offset = 4) },
  { name: 'offsets that were committed are forgotten', rule: 'commit', breakIt: (history) => {
    the(history.offsets.findLast(({ offset }) => offset === 3)).offset = -1
  } },
]

const compactionBreaches: Breach[] = [
  { name: 'the newest record of a key is gone', rule: 'key lost', breakIt: (history) => keepOnly(history, table, (value) => value !== 'k3') },
  { name: 'a replica lacks the newest record of a key', rule: 'key lost', breakIt: (history) => {
    const replica = the(history.replicas.find((one) => keyOf(one) === keyOf(table)))
    replica.records = replica.records.filter(({ value }) => value !== 'd2')
  } },
  { name: 'a record is gone for one that is aborted', rule: 'key lost', breakIt: (history) => {
    keepOnly(history, table, (value) => value !== 'd2')
    history.attempts = history.attempts.filter(({ values }) => !values.includes('d2'))
    history.polls = history.polls.filter(({ consumer }) => consumer !== 'replay')
  } },
  { name: 'a deletion is gone before its time', rule: 'key lost', breakIt: (history) => keepOnly(history, table, (value) => value !== 'd3') },
  { name: 'what was deleted is there again', rule: 'key returned', breakIt: (history) => {
    const ack = the(history.attempts.find(({ values }) => values.includes('k4')))
    log(history, table).records.push({ offset: ack.offset + 1, value: 'k4', key: 'green' })
  } },
  { name: 'readers of committed records are shown what was replaced, and not what replaced it', rule: 'key returned', breakIt: (history) => {
    const ack = the(history.attempts.find(({ values }) => values.includes('k1')))
    const { records } = the(log(history, table).committed)
    records.splice(0, records.length, { offset: ack.offset, value: 'k1', key: 'red' })
    log(history, table).records.unshift({ offset: ack.offset, value: 'k1', key: 'red' })
  } },
  { name: 'compaction gives a record another offset', rule: 'moved', breakIt: (history) => void (record(history, table, 'd2').offset += 1) },
  { name: 'compaction gives a record another key', rule: 'changed', breakIt: (history) => void (record(history, table, 'd2').key = 'blue') },
  { name: 'compaction takes a value and leaves its key', rule: 'changed', breakIt: (history) => void (record(history, table, 'k3').isTombstone = true) },
  { name: 'there is a value that nobody wrote', rule: 'phantom', breakIt: (history) => void (record(history, table, 'k3').value = 'k9') },
  { name: 'a reader is not shown a record that nothing has replaced by then', rule: 'gap', breakIt: (history) => {
    for (const poll of polls(history, 'early', table)) poll.records = poll.records.filter(({ value }) => value !== 'k3')
  } },
  { name: 'a reader is not shown a record that only an aborted one would replace', rule: 'gap', breakIt: (history) => {
    for (const poll of polls(history, 'early', table)) poll.records = poll.records.filter(({ value }) => value !== 'k1')
  } },
]

export const breaches: readonly Breach[] = [...transactionBreaches, ...readBreaches, ...consumedBreaches, ...compactionBreaches]
