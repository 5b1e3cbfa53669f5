import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { check } from '../../sim/check/checker.ts'
import type { History } from '../../sim/check/history.ts'
import { optionsOf } from '../../sim/options.ts'
import { simulate } from '../../sim/simulation.ts'
import { breaches, type MutableHistory } from './broken-histories.ts'

describe('the checker of simulated histories', () => {
  let good: History
  before(async () => {
    const options = optionsOf({ seed: 4, minutes: 0.9, faults: ['kill', 'power loss', 'resets', 'table answers lost'] })
    good = (await simulate({ ...options, thinkMs: 600, partitions: 1, segmentBytes: 4_096, faultEveryMs: 6_000, inFlightMax: 3 })).history
  })

  test('finds nothing wrong with a good one, in which enough has happened', () => {
    assert.deepEqual(check(good), [])
    assert.ok(good.attempts.some(({ outcome }) => outcome === 'info'), 'an attempt without an answer')
    assert.ok(good.finals.some(({ batches }) => batches.at(-1)!.leaderEpoch > 0), 'a second epoch')
    assert.ok(good.finals.some(({ earliest }) => earliest > 0), 'something that retention has deleted')
  })

  for (const { name, rule, breakIt } of breaches) {
    test(`notices when ${name}`, () => {
      const broken = structuredClone(good) as MutableHistory
      breakIt(broken)
      const found = check(broken as History)
      assert.ok(found.some((violation) => violation.rule === rule), `${rule} is not among ${JSON.stringify(found.slice(0, 5))}`)
    })
  }
})
