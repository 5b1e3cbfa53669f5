import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Rule, ruleNames, rulesWithout } from '../../broker/runtime/rules.ts'
import { noFaults, removals, scenes } from '../../model/bounds.ts'
import { explore } from '../../model/explore.ts'
import { type Invariant, invariants } from '../../model/invariants.ts'
import { linesOf } from '../../model/report.ts'

const small = { ...noFaults, changes: 2, terms: 1, seesAll: true }

describe('with all rules kept', () => {
  test('every order of events within small bounds keeps every invariant', () => {
    const { states, depth, isComplete, violation } = explore({ bounds: small })
    assert.equal(violation, undefined)
    assert.ok(isComplete)
    assert.ok(states > 1_000 && depth > 10, `${states} states of depth ${depth} are too few to say anything`)
  })

  test('so does a loss of the end of a log, or of all of a disk', () => {
    const { isComplete, violation } = explore({ bounds: { ...small, changes: 1, losses: 1 } })
    assert.equal(violation, undefined)
    assert.ok(isComplete)
  })

  test('an exploration that is cut says that it is not complete', () => {
    const { isComplete, violation } = explore({ bounds: { ...small, statesMax: 100 } })
    assert.equal(violation, undefined)
    assert.equal(isComplete, false)
  })

  test('the same bounds give the same states each time', () => {
    const bounds = { ...small, changes: 1 }
    assert.deepEqual(explore({ bounds }), explore({ bounds }))
  })
})

describe('without a rule', () => {
  const quick: readonly Rule[] = [
    'a shrink counts once it is confirmed', 'followers truncate', 'a restart takes a new epoch', 'a member has all of earlier epochs',
    'the in-sync replicas are never too few',
  ]

  for (const rule of quick) {
    test(`a violation is found: ${rule}`, () => {
      const { violation } = explore({ bounds: removals[rule], rules: rulesWithout(rule) })
      assert.ok(violation !== undefined)
      assert.equal(linesOf(violation).length, violation.steps.length)
    })
  }

  test('what is found is the rule that is gone, and not the bounds', () => {
    const rule = 'the in-sync replicas are never too few'
    assert.equal(explore({ bounds: removals[rule] }).violation, undefined)
  })

  test('each rule has bounds of its own', () => {
    assert.deepEqual(Object.keys(removals).sort(), [...ruleNames].sort())
    assert.ok(Object.keys(scenes).length > 0)
  })
})

describe('the invariants', () => {
  const rules = rulesWithout('the in-sync replicas are never too few')
  const bounds = removals['the in-sync replicas are never too few']

  test('an exploration whose checks are switched off finds nothing, so it is they that find', () => {
    const never: Invariant = { of: 'world', check: () => undefined }
    const checks = Object.fromEntries(Object.keys(invariants).map((name) => [name, never]))
    assert.equal(explore({ bounds, rules, checks }).violation, undefined)
  })

  test('a check that is wrong about the protocol is contradicted by a way that it can be read from', () => {
    const wrong: Invariant = { of: 'world', check: ({ shown }) => (shown.length > 0 ? 'something was shown' : undefined) }
    const { violation } = explore({ bounds: noFaults, checks: { 'nothing is ever shown': wrong } })
    // One record, and two fetches of each follower: the second says that the first is durable.
    assert.equal(violation?.steps.length, 5)
    assert.equal(violation.invariant, 'nothing is ever shown')
  })

  test('a step that takes a high watermark back is seen, whatever else leads to that world', () => {
    const check = invariants['high watermarks do not go back']!
    assert.equal(check.of, 'step')
    const wrong: Invariant = { of: 'world', check: ({ shown }) => (shown.length > 0 ? 'something was shown' : undefined) }
    const { world } = explore({ bounds: noFaults, checks: { wrong } }).violation!.steps.at(-1)!
    const back = { ...world, brokers: world.brokers.map((one) => ({ ...one, term: undefined, knownHighWatermark: 0 })) }
    assert.equal(check.check(world, world), undefined)
    assert.match(check.check(back, world) ?? '', /goes back from 1 to 0/)
  })
})
