// A history of transactions and of a compacted topic as it ought to be, written by hand: on a log that is never at fault.

import { emptyHistory, type FinalLog, type History, type LoggedBatch, type Place, type Sighting, type Transaction } from '../../sim/check/history.ts'
import { keyOf } from '../../sim/check/log-index.ts'

export const out0: Place = { topicId: 'out', partition: 0 }
export const out1: Place = { topicId: 'out', partition: 1 }
export const table: Place = { topicId: 'table', partition: 0 }
export const source: Place = { topicId: 'source', partition: 0 }
export const group = 'loop'

const deleteRetentionMs = 5_000

type Mutable<T> = T extends readonly (infer E)[] ? Mutable<E>[] : T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T

interface Written {
  readonly place: Place
  readonly values: readonly string[]
  /** By value; a null: the key is deleted. */
  readonly keys?: readonly string[]
  readonly isTombstone?: boolean
}

interface Wanted {
  readonly asked: Transaction['asked']
  readonly outcome: Transaction['outcome']
  readonly end: 'commit' | 'abort'
  readonly writes: readonly Written[]
  readonly consumed?: { readonly from: number; readonly to: number }
  /** Where it is not the next one: of TV1, whose transactions share an epoch. */
  readonly isShared?: boolean
}

class Writer {
  readonly history = emptyHistory({ skewMsMax: 0, lateMsMax: 1_000, isAlone: true }) as Mutable<History>
  readonly #logs = new Map<Place, Mutable<FinalLog>>()
  readonly #batches = new Map<string, number>()
  #now = 1_000
  #epoch = 0
  #transactions = 0

  constructor() {
    for (const [topicId, partitions] of [['out', 2], ['source', 1]] as const) {
      this.history.topics.push({ topicId, name: topicId, partitions, retentionMs: Infinity, deletedAt: undefined })
    }
    this.history.topics.push({ topicId: 'table', name: 'table', partitions: 1, retentionMs: Infinity, deletedAt: undefined, deleteRetentionMs })
    for (const place of [out0, out1, table]) this.#logs.set(place, { ...place, readAt: 0, earliest: 0, latest: 0, records: [], batches: [] })
  }

  log(place: Place): Mutable<FinalLog> {
    return this.#logs.get(place)!
  }

  wait(ms: number): void {
    this.#now += ms
  }

  transaction({ asked, outcome, end, writes, consumed, isShared = false }: Wanted): void {
    const name = `t${this.#transactions++}`
    const producerId = isShared ? 8 : 7
    const epoch = isShared ? 0 : this.#epoch
    const invokedAt = this.#now
    for (const write of writes) this.write(write, { transaction: name, producerId, epoch })
    const askedAt = ++this.#now
    if (!isShared) this.#epoch++
    for (const place of new Set(writes.map((one) => one.place))) {
      this.#append(place, { producerId, producerEpoch: isShared ? 0 : this.#epoch, baseSequence: -1, isTransactional: true, marker: end }, 1)
    }
    this.history.transactions.push({
      name, transactionalId: `id-${producerId}`, hasOwnEpoch: !isShared, invokedAt, asked, askedAt, outcome, endedAt: ++this.#now,
      ...(consumed === undefined ? {} : { consumed: { group, ...source, ...consumed } }),
    })
  }

  write(
    { place, values, keys, isTombstone = false }: Written, of?: { readonly transaction: string; readonly producerId: number; readonly epoch: number },
  ): void {
    const producerId = of?.producerId ?? 9
    const epoch = of?.epoch ?? 0
    const session = `${producerId}/${epoch}/${place.topicId}/${place.partition}`
    const base = this.#batches.get(session) ?? 0
    this.#batches.set(session, base + values.length)
    const offset = this.#append(place, { producerId, producerEpoch: epoch, baseSequence: base, isTransactional: of !== undefined, marker: undefined }, values.length)
    values.forEach((value, index) => this.log(place).records.push({
      offset: offset + index, value, ...(keys === undefined ? {} : { key: keys[index]! }), ...(isTombstone ? { isTombstone: true } : {}),
    }))
    this.history.attempts.push({
      producer: `p${producerId}`, ...place, batch: this.history.attempts.filter((attempt) => keyOf(attempt) === keyOf(place) && attempt.producer === `p${producerId}`).length, values: [...values], sequence: { producerId, producerEpoch: epoch, base },
      invokedAt: this.#now, endedAt: ++this.#now, outcome: 'ok', offset, error: 0,
      ...(of === undefined ? {} : { transaction: of.transaction }),
      ...(keys === undefined ? {} : { keys: keys.map((key) => ({ key, isTombstone })) }),
    })
  }

  /** One reader that reads everything that there is now, two records at a time. */
  read(consumer: string, place: Place, isHidden?: (value: string) => boolean): void {
    const { records, latest } = this.log(place)
    const shown = isHidden === undefined ? records : records.filter(({ value }) => !isHidden(value))
    for (let index = 0; index < shown.length; index += 2) {
      this.history.polls.push({
        consumer, ...place, invokedAt: this.#now, endedAt: ++this.#now, fetchOffset: index === 0 ? 0 : shown[index - 1]!.offset + 1, error: 0,
        highWatermark: latest, logStartOffset: 0, records: structuredClone(shown.slice(index, index + 2)), ...(isHidden === undefined ? {} : { lastStable: latest }),
      })
    }
  }

  look(offset: number): void {
    this.history.offsets.push({
      group, ...source, kind: 'fetch', offset, outcome: 'ok', isTransactional: true, invokedAt: this.#now, endedAt: ++this.#now,
    })
  }

  compact(place: Place, isKept: (record: Sighting) => boolean): void {
    const log = this.log(place)
    log.records = log.records.filter(isKept)
  }

  finish(isHidden: (value: string) => boolean): Mutable<History> {
    for (const log of this.#logs.values()) {
      log.readAt = this.#now
      const committed = { records: structuredClone(log.records.filter(({ value }) => !isHidden(value))), end: log.latest }
      this.history.finals.push({ ...log, committed })
      this.history.replicas.push({ ...structuredClone(log), broker: 2 })
    }
    return this.history
  }

  #append(place: Place, of: Omit<LoggedBatch, 'baseOffset' | 'lastOffset' | 'recordCount' | 'leaderEpoch'>, recordCount: number): number {
    const log = this.log(place)
    const baseOffset = log.latest
    log.latest += recordCount
    log.batches.push({ ...of, baseOffset, lastOffset: log.latest - 1, recordCount, leaderEpoch: 0 })
    return baseOffset
  }
}

/** Named by what becomes of them: `x` values are of transactions that were aborted. */
const isHidden = (value: string): boolean => value.startsWith('x')

export function goodHistory(): Mutable<History> {
  const writer = new Writer()
  writer.look(-1)
  writer.transaction({
    asked: 'commit', outcome: 'ok', end: 'commit', consumed: { from: 0, to: 3 },
    writes: [{ place: out0, values: ['a1', 'a2'] }, { place: out1, values: ['a3'] }, { place: table, values: ['k1', 'k2'], keys: ['red', 'blue'] }],
  })
  writer.transaction({
    asked: 'abort', outcome: 'ok', end: 'abort', consumed: { from: 3, to: 5 },
    writes: [{ place: out0, values: ['x1'] }, { place: out1, values: ['x2', 'x3'] }, { place: table, values: ['x4'], keys: ['red'] }],
  })
  writer.look(3)
  writer.transaction({
    asked: 'commit', outcome: 'info', end: 'commit', consumed: { from: 3, to: 4 },
    writes: [{ place: out0, values: ['b1'] }, { place: out1, values: ['b2'] }],
  })
  writer.transaction({ asked: 'commit', outcome: 'info', end: 'abort', writes: [{ place: out0, values: ['x5'] }, { place: out1, values: ['x6'] }] })
  writer.look(4)
  writer.transaction({ asked: undefined, outcome: 'info', end: 'abort', writes: [{ place: out0, values: ['x7'] }] })
  for (const round of [1, 2]) {
    writer.transaction({
      isShared: true, asked: 'commit', outcome: 'ok', end: 'commit', writes: [{ place: out0, values: [`s${round}`] }, { place: out1, values: [`t${round}`] }],
    })
  }
  writer.transaction({
    asked: 'commit', outcome: 'ok', end: 'commit', consumed: { from: 4, to: 9 }, writes: [{ place: out0, values: ['c1', 'c2'] }, { place: out1, values: ['c3'] }],
  })
  writer.read('raw', out0)
  writer.read('committed', out0, isHidden)
  writer.read('committed', out1, isHidden)
  writer.write({ place: table, values: ['k3', 'k4'], keys: ['blue', 'green'] })
  writer.write({ place: table, values: ['d1'], keys: ['green'], isTombstone: true })
  writer.read('early', table)
  writer.wait(deleteRetentionMs + 1_000)
  writer.write({ place: table, values: ['d2', 'k5'], keys: ['red', 'yellow'], isTombstone: false })
  writer.write({ place: table, values: ['d3'], keys: ['yellow'], isTombstone: true })
  // Of red `d2` is the newest, of blue `k3`; of green even the deletion is gone, that of yellow is not old enough.
  writer.compact(table, ({ value }) => ['d2', 'k3', 'd3'].includes(value))
  writer.read('replay', table, isHidden)
  writer.look(9)
  return writer.finish(isHidden)
}
