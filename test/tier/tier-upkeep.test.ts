import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PartitionUpkeep, type TierTerm, TierUpkeep } from '../../broker/tier/tier-upkeep.ts'
import { ManualClock } from '../support/manual-clock.ts'

const hour = 3_600_000
const limits = { tickEveryMs: 10_000, reconcileEveryMs: 24 * hour, ticksMax: 64, reconcilesMax: 2, compactionsMax: 1 }

interface Seen {
  readonly ticks: number[]
  readonly reconciles: number[]
  readonly compactions: number[]
}

/** Partitions of one topic, each in a term; what is asked of them takes as long as `busy` does. */
function world(count: number, { isFollower = false } = {}) {
  const clock = new ManualClock()
  const upkeep = new TierUpkeep(clock, limits)
  const state = { atOnce: 0, mostAtOnce: 0, busy: Promise.resolve(), isClockTrusted: true, mayCompact: false }
  const work = async (times: number[]) => {
    times.push(clock.monotonic())
    state.mostAtOnce = Math.max(state.mostAtOnce, ++state.atOnce)
    await state.busy
    state.atOnce--
  }
  const aTerm = (seen: Seen, of: { readonly isFollower: boolean }): TierTerm =>
    ({
      ...of,
      tiered: {
        tick: () => work(seen.ticks), reconcile: () => work(seen.reconciles), compact: () => work(seen.compactions),
        get mayCompact() {
          return state.mayCompact
        },
      },
    })
  const partitions = Array.from({ length: count }, (_, partition) => {
    const seen: Seen = { ticks: [], reconciles: [], compactions: [] }
    const one: { seen: Seen; upkeep: PartitionUpkeep; term: TierTerm } = {
      seen, upkeep: upkeep.of({ topicId: 'tPcZrYzKQ0GQp6W1vHnK2A', partition }), term: aTerm(seen, { isFollower }),
    }
    return one
  })
  const beginTerms = (of: { readonly isFollower: boolean }) => {
    for (const one of partitions) one.term = aTerm(one.seen, of)
  }
  const pass = async (ms: number, everyMs = 1_000) => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      for (const one of partitions) one.upkeep.look(one.term, state)
      await clock.advance(everyMs)
    }
  }
  const all = (what: keyof Seen) => partitions.map(({ seen }) => seen[what])
  return { clock, state, partitions, pass, all, beginTerms }
}

/** The largest number of times that fall into one second. */
function mostPerSecond(times: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const time of times) counts.set(Math.floor(time / 1_000), (counts.get(Math.floor(time / 1_000)) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

test('followers are looked at once in each period, spread evenly over it', async () => {
  const { pass, all } = world(1_000, { isFollower: true })
  await pass(3 * limits.tickEveryMs + 1_000)
  assert.deepEqual(new Set(all('ticks').map((times) => times.length)), new Set([3]))
  assert.ok(mostPerSecond(all('ticks').flat()) < 150, `${mostPerSecond(all('ticks').flat())} in one second`)
})

test('leaders are looked at at once, a few at a time, and then each in its phase', async () => {
  const { state, pass, all, partitions } = world(200)
  const table = Promise.withResolvers<void>()
  state.busy = table.promise
  await pass(5_000)
  assert.deepEqual([state.atOnce, all('ticks').filter((times) => times.length > 0).length], [limits.ticksMax, limits.ticksMax])
  table.resolve()
  await pass(1_000)
  assert.equal(all('ticks').filter((times) => times.length > 0).length, partitions.length)
  assert.equal(state.mostAtOnce, limits.ticksMax)
  await pass(limits.tickEveryMs)
  assert.ok(mostPerSecond(all('ticks').flat().filter((time) => time > 6_000)) < 50)
})

test('a new term of a leader is looked at at once, although one of the last term still waits for its turn', async () => {
  const { state, pass, all, beginTerms } = world(1)
  state.busy = new Promise(() => {})
  await pass(1_000)
  beginTerms({ isFollower: false })
  await pass(1_000)
  assert.deepEqual(all('ticks'), [[0, 1_000]])
})

test('the bucket is looked at once a day, spread over it, whether terms begin meanwhile or not, and by leaders alone', async () => {
  const { pass, all, beginTerms } = world(100)
  const minute = 60_000
  for (let halfDays = 0; halfDays < 4; halfDays++) {
    await pass(12 * hour, 10 * minute)
    beginTerms({ isFollower: false })
  }
  await pass(10 * minute, 10 * minute)
  assert.deepEqual(new Set(all('reconciles').map((times) => times.length)), new Set([2]))
  const perHour = Array.from({ length: 49 }, (_, index) => all('reconciles').flat().filter((time) => Math.floor(time / hour) === index).length)
  assert.ok(Math.max(...perHour) < 15, perHour.join(' '))
  beginTerms({ isFollower: true })
  await pass(24 * hour, 10 * minute)
  beginTerms({ isFollower: false })
  await pass(20 * minute, 10 * minute)
  assert.ok(all('reconciles').flat().filter((time) => time > 48 * hour).length < 10, 'another broker led when it was due')
})

test('few are held against the bucket at a time, and none while the clock may be wrong', async () => {
  const { state, pass, all, partitions } = world(50)
  state.isClockTrusted = false
  await pass(24 * hour, hour)
  assert.deepEqual(all('reconciles').flat(), [])
  state.isClockTrusted = true
  const bucket = Promise.withResolvers<void>()
  state.busy = bucket.promise
  await pass(1_000)
  assert.equal(all('reconciles').flat().length, limits.reconcilesMax)
  bucket.resolve()
  await pass(1_000)
  assert.equal(all('reconciles').flat().length, partitions.length)
})
