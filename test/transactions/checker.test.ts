import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge, type TransactionHistory } from './checker.ts'

/** Two transactions of two inputs each, and one that was aborted. */
function sound(): { -readonly [name in keyof TransactionHistory]: TransactionHistory[name] } {
  return {
    inputs: new Map([['in-0', 4]]),
    topicOf: () => 'in',
    committed: new Set(['a/1']),
    aborted: new Set(['a/2']),
    output: [
      { partition: 0, value: 'a/1 0 3 0:0' }, { partition: 1, value: 'a/1 1 3 0:1' }, { partition: 0, value: 'a/1 2 3 -' },
      { partition: 0, value: 'a/3 0 3 0:2' }, { partition: 1, value: 'a/3 1 3 0:3' }, { partition: 1, value: 'a/3 2 3 -' },
    ],
  }
}

const broken: readonly (readonly [string, RegExp, (history: ReturnType<typeof sound>) => void])[] = [
  ['a record of a transaction is missing', /torn: a\/1/, (history) => (history.output = history.output.filter((_, index) => index !== 2))],
  ['an input was lost', /lost: in-0@4/, (history) => (history.inputs = new Map([['in-0', 5]]))],
  ['an input was transformed twice', /made 2 times: in-0@2/, (history) => (history.output = [
    ...history.output, { partition: 0, value: 'a/4 0 2 0:2' }, { partition: 1, value: 'a/4 1 2 -' },
  ])],
  ['a transaction is there twice', /torn: a\/3/, (history) => (history.output = [...history.output, ...history.output.slice(3)])],
  ['an aborted one is seen', /aborted and seen: a\/3/, (history) => (history.aborted = new Set(['a/3']))],
  ['a committed one is not seen', /committed and not seen: a\/9/, (history) => (history.committed = new Set(['a/1', 'a/9']))],
  ['records changed places', /reordered: in-0@0 behind 2/, (history) => (history.output = history.output.toReversed())],
  ['something is there that nobody committed', /foreign/, (history) => (history.output = [...history.output, { partition: 0, value: 'forsaken' }])],
  ['something came of an input that never was', /never there/, (history) => (history.output = [
    ...history.output, { partition: 0, value: 'a/4 0 2 1:0' }, { partition: 1, value: 'a/4 1 2 -' },
  ])],
  ['transactions are in one partition only', /narrow: a\/1/, (history) => (history.output = history.output.map((record) => ({ ...record, partition: 0 })))],
]

describe('the checker of consume-transform-produce', () => {
  test('finds nothing in a sound history', () => {
    assert.deepEqual(judge(sound()), { transactions: 2, violations: [] })
  })

  for (const [what, finding, breakIt] of broken) {
    test(`finds that ${what}`, () => {
      const history = sound()
      breakIt(history)
      assert.match(judge(history).violations.join('\n'), finding)
    })
  }
})
