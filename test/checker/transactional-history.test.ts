import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { check } from '../../sim/check/checker.ts'
import { breaches } from './broken-transactions.ts'
import { goodHistory } from './transactional-history.ts'

describe('the checker of transactions and compaction', () => {
  test('finds nothing wrong with a good history', () => {
    assert.deepEqual(check(goodHistory()), [])
  })

  for (const { name, rule, breakIt } of breaches) {
    test(`notices when ${name}`, () => {
      const broken = goodHistory()
      breakIt(broken)
      const found = check(broken)
      assert.ok(found.some((violation) => violation.rule === rule), `${rule} is not among ${JSON.stringify(found.slice(0, 5))}`)
    })
  }
})
