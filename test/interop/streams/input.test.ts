import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answerTo, differences, type InputRecord } from './input.ts'

const record = (topic: string, key: string, value: string, timestamp: number): InputRecord => ({ topic, partition: 0, key, value, timestamp })

describe('the answer that Streams applications are compared with', () => {
  const answer = answerTo([
    record('lines', '0', 'a b a', 1), record('lines', '1', 'a', 2),
    record('clicks', 'u', 'click', 9_999), record('clicks', 'u', 'click', 10_000), record('clicks', 'u', 'click', 10_001),
    record('customers', 'c', 'old', 1), record('customers', 'c', 'new', 5), record('orders', 'c', 'o1', 4), record('orders', 'c', 'o2', 6),
  ])

  test('is right by hand', () => {
    assert.deepEqual(answer, new Map([
      ['joined c', ['o1 old', 'o2 new']], ['word-counts a', ['1', '2', '3']], ['word-counts b', ['1']],
      ['window-counts u@0', ['1']], ['window-counts u@10000', ['1', '2']],
    ]))
    assert.deepEqual(differences(answer, answer), [])
  })

  for (const [what, values] of [['twice', ['1', '2', '2', '3']], ['missing', ['1', '3']], ['short', ['1', '2']], ['too many', ['1', '2', '3', '4']]] as const) {
    test(`differs from results with a value that is ${what}`, () => {
      assert.equal(differences(new Map([...answer, ['word-counts a', values]]), answer).length, 1)
    })
  }
})
