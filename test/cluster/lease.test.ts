import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lease, LeaseWatch } from '../../broker/cluster/lease.ts'
import { type CommitResult, type Table, TableError, type Write } from '../../broker/table/table.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'

const limits = { ttlMs: 3000, renewEveryMs: 750 }
const key = { partition: 'lease', sort: 'controller' }

/** A table whose next commits fail, before or after they were carried out. */
class TroubledTable extends MemoryTable {
  trouble: 'none' | 'away' | 'answer lost' = 'none'
  /** Milliseconds that pass while a commit is under way. */
  clock: ManualClock | undefined
  tookMs = 0

  override async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (this.trouble === 'away') throw new TableError('away', 'it is')
    const result = await super.commit(writes)
    await this.clock?.advance(this.tookMs)
    if (this.trouble === 'answer lost') throw new TableError('unknown', 'it may have been written')
    return result
  }
}

/** A table in which each of these commits, counted from 1, is on its way until `deliver`; or its answer, once it is carried out. */
class SilentTable extends MemoryTable {
  readonly #lost: ReadonlySet<number>
  readonly #onTheirWay: (() => void)[] = []
  whatIsLate: 'request' | 'answer' = 'request'
  commits = 0

  constructor(...lost: readonly number[]) {
    super()
    this.#lost = new Set(lost)
  }

  override async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (!this.#lost.has(++this.commits)) return super.commit(writes)
    const answer = this.whatIsLate === 'answer' ? super.commit(writes) : undefined
    await new Promise<void>((resolve) => this.#onTheirWay.push(resolve))
    return answer ?? super.commit(writes)
  }

  /** Those that lie there arrive, and are answered. */
  async deliver(): Promise<void> {
    for (const arrive of this.#onTheirWay.splice(0)) arrive()
    await turn()
  }
}

function lease(table: Table, clock: ManualClock, holder: string, faults: unknown[] = []): Lease {
  return new Lease({ table, clock, key, holder, limits, onFault: (cause) => faults.push(cause) })
}

test('one of two has it, and the other one gets it a whole term after the last renewal that it saw', async () => {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const [one, other] = [lease(table, clock, 'one'), lease(table, clock, 'other')]
  assert.equal(await one.acquire(), true)
  assert.equal(await other.acquire(), false)
  for (let renewals = 0; renewals < 10; renewals++) {
    await clock.advance(750)
    assert.equal(await one.acquire(), true)
    assert.equal(await other.acquire(), false)
  }
  await clock.advance(2999)
  assert.equal(await other.acquire(), false)
  assert.equal(one.isHeld, true)
  await clock.advance(1)
  assert.equal(one.isHeld, false, 'the holder has stopped before anybody may follow')
  assert.equal(await other.acquire(), true)
  assert.equal(await one.renew(), false)
})

test('the time of a lease counts from when its renewal was sent, not from when the answer came', async () => {
  const [table, clock] = [new TroubledTable(), new ManualClock()]
  const one = lease(table, clock, 'one')
  table.clock = clock
  table.tookMs = 2000
  assert.equal(await one.acquire(), true)
  await clock.advance(999)
  assert.equal(one.isHeld, true)
  await clock.advance(1)
  assert.equal(one.isHeld, false)
})

test('a renewal that succeeded and whose answer was lost does not cost the lease, and prolongs nothing by itself', async () => {
  const [table, clock] = [new TroubledTable(), new ManualClock()]
  const one = lease(table, clock, 'one')
  assert.equal(await one.acquire(), true)
  const { heldUntil } = one
  await clock.advance(1000)
  table.trouble = 'answer lost'
  await assert.rejects(one.renew(), TableError)
  assert.equal(one.heldUntil, heldUntil)
  table.trouble = 'none'
  assert.equal(await one.renew(), true)
  assert.equal(one.heldUntil, clock.monotonic() + limits.ttlMs)
})

test('while the table is away the holder goes on for the rest of its term, and again once it is back', async () => {
  const [table, clock] = [new TroubledTable(), new ManualClock()]
  const faults: unknown[] = []
  const one = lease(table, clock, 'one', faults)
  await one.acquire()
  const stopping = new AbortController()
  const kept = one.keep(stopping.signal)
  table.trouble = 'away'
  for (let steps = 0; steps < 29; steps++) await clock.advance(100)
  assert.equal(one.isHeld, true)
  await clock.advance(100)
  assert.equal(one.isHeld, false)
  assert.ok(faults.length >= 3)
  table.trouble = 'none'
  for (let steps = 0; steps < 10; steps++) await clock.advance(100)
  assert.equal(one.isHeld, true)
  stopping.abort()
  assert.equal(await kept, true)
})

test('two renewals in a row that are never answered do not cost the lease', async () => {
  const [table, clock] = [new SilentTable(2, 3), new ManualClock()]
  const faults: unknown[] = []
  const one = lease(table, clock, 'one', faults)
  assert.equal(await one.seize(), true)
  const stopping = new AbortController()
  const kept = one.keep(stopping.signal)
  for (let steps = 0; steps < 100; steps++) {
    await clock.advance(100)
    assert.equal(one.isHeld, true, `after ${clock.monotonic()} ms`)
  }
  assert.equal(faults.length, 2)
  stopping.abort()
  assert.equal(await kept, true)
})

test('a renewal that was given up and arrives late takes nothing away, whichever comes first', async () => {
  const [table, clock] = [new SilentTable(2, 3), new ManualClock()]
  const one = lease(table, clock, 'one')
  await one.seize()
  const stopping = new AbortController()
  const kept = one.keep(stopping.signal)
  // Sent at 750 and at 1500; the third one, sent at 2250, is carried out before both.
  await clock.advance(2_300)
  assert.equal(one.heldUntil, 2_250 + limits.ttlMs)
  await table.deliver()
  assert.equal(one.heldUntil, 2_250 + limits.ttlMs)
  await clock.advance(10_000)
  assert.equal(one.isHeld, true)
  stopping.abort()
  assert.equal(await kept, true)
})

test('the answer to a renewal that was given up counts, from when that was sent', async () => {
  const [table, clock] = [new SilentTable(2, 3, 4), new ManualClock()]
  const one = lease(table, clock, 'one')
  await one.seize()
  const stopping = new AbortController()
  const kept = one.keep(stopping.signal)
  await clock.advance(2_400)
  assert.equal(one.heldUntil, limits.ttlMs)
  await table.deliver()
  assert.ok(one.heldUntil >= 750 + limits.ttlMs)
  await clock.advance(10_000)
  assert.equal(one.isHeld, true)
  stopping.abort()
  assert.equal(await kept, true)
})

test('who meets its own renewals again and again is not told that somebody else has the lease', async () => {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const one = lease(table, clock, 'one')
  await one.seize()
  let late = 3
  const read = table.get.bind(table)
  table.get = async (of) => {
    const item = await read(of)
    // One of those that were given up arrives just behind the look.
    if (late-- > 0) await table.commit([{ kind: 'put', key, value: { holder: 'one', facts: null }, expect: item!.version }])
    return item
  }
  await table.commit([{ kind: 'put', key, value: { holder: 'one', facts: null }, expect: 1 }])
  assert.equal(await one.renew(), true)
})

test('the late answer to a renewal brings no lease back that was released', async () => {
  const [table, clock] = [new SilentTable(2), new ManualClock()]
  table.whatIsLate = 'answer'
  const one = lease(table, clock, 'one')
  await one.seize()
  const stopping = new AbortController()
  const kept = one.keep(stopping.signal)
  await clock.advance(1_000)
  stopping.abort()
  await clock.advance(1_000)
  assert.equal(await kept, true)
  await one.release()
  await table.deliver()
  assert.equal(one.isHeld, false)
})

test('a session belongs to the newest start of a broker, and the older one is told', async () => {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const [older, newer] = [lease(table, clock, 'start 1'), lease(table, clock, 'start 2')]
  assert.equal(await older.seize(), true)
  const kept = older.keep(new AbortController().signal)
  assert.equal(await newer.seize(), true)
  await clock.advance(750)
  assert.equal(await kept, false)
  assert.equal(older.isHeld, false)
  assert.equal(newer.isHeld, true)
})

test('a lease that was released is free at once', async () => {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const [one, other] = [lease(table, clock, 'one'), lease(table, clock, 'other')]
  await one.acquire()
  await one.release()
  assert.equal(one.isHeld, false)
  assert.equal(await other.acquire(), true)
  await one.release()
  assert.equal(other.isHeld, true, 'what is no longer ours is not ours to release')
  assert.equal(await other.renew(), true)
})

test('of two that try at the same moment one succeeds', async () => {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const leases = Array.from({ length: 5 }, (_, index) => lease(table, clock, `holder ${index}`))
  const results = await Promise.all(leases.map((one) => one.acquire()))
  assert.equal(results.filter((isTaken) => isTaken).length, 1)
})

test('an observer counts by its own clock from when it saw a version first, and a new holder is not the old one', async () => {
  const watch = new LeaseWatch(limits)
  const item = (version: number, holder: string) => ({ partition: 'session', sort: '1', version, value: { holder, facts: null } })
  watch.observe([item(7, 'a')], 100)
  assert.equal(watch.isAlive('1', 'a', 3099), true)
  watch.observe([item(7, 'a')], 3000)
  assert.equal(watch.isAlive('1', 'a', 3100), false, 'seen again is not renewed')
  watch.observe([item(8, 'a')], 3200)
  assert.equal(watch.isAlive('1', 'a', 6000), true)
  watch.observe([item(9, 'b')], 6100)
  assert.equal(watch.isAlive('1', 'a', 6101), false)
  assert.equal(watch.isAlive('1', 'b', 6101), true)
  watch.observe([], 6200)
  assert.equal(watch.isAlive('1', 'b', 6201), false)
})

test('an observer knows when the first of the leases that it sees will have ended', () => {
  const watch = new LeaseWatch(limits)
  const item = (sort: string, version: number) => ({ partition: 'session', sort, version, value: { holder: 'a', facts: null } })
  assert.equal(watch.nextEnd(0), Infinity)
  watch.observe([item('1', 7), item('2', 3)], 100)
  assert.equal(watch.nextEnd(100), 3100)
  watch.observe([item('1', 7), item('2', 4)], 850)
  assert.equal(watch.nextEnd(850), 3100)
  assert.equal(watch.nextEnd(3100), 3850, 'what has ended is not waited for')
  assert.equal(watch.nextEnd(3850), Infinity)
})
