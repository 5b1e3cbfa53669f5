import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FaultName } from '../../sim/faults.ts'
import { optionsOf, type RunOptions } from '../../sim/options.ts'
import { simulate } from '../../sim/simulation.ts'

const small = (seed: number, faults?: readonly FaultName[]): RunOptions =>
  ({ ...optionsOf({ seed, minutes: 0.2, ...(faults === undefined ? {} : { faults }) }), thinkMs: 600, partitions: 1, faultEveryMs: 3_000 })

describe('a simulation', () => {
  for (const seed of [11, 12]) {
    test(`of seed ${seed} keeps every promise, and is the same when it is run again`, async () => {
      const [first, second] = [await simulate(small(seed)), await simulate(small(seed))]
      assert.deepEqual(first.violations, [])
      assert.equal(second.hash, first.hash)
      assert.equal(second.events, first.events)
      assert.deepEqual(second.history, first.history)
    })
  }

  test('of another seed is another one', async () => {
    const [one, other] = [await simulate(small(13, [])), await simulate(small(14, []))]
    assert.notEqual(one.hash, other.hash)
  })

  test('finds out a broker that acknowledges before it syncs', async () => {
    const { violations } = await simulate({ ...small(15, ['power loss']), durability: 'replicated' })
    assert.ok(violations.some(({ rule }) => rule === 'lost'), JSON.stringify(violations.slice(0, 5)))
  })

  test('in liveness mode demands progress after each time of faults', async () => {
    const { violations, seen } = await simulate({ ...small(16, ['kill', 'pause', 'isolation']), mode: 'liveness', minutes: 0.5 })
    assert.deepEqual(violations, [])
    assert.ok([...seen.keys()].some((what) => what.startsWith('fault: ')))
  })
})
