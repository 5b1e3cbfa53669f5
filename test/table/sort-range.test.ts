import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compareSortKeys, prefixEnd, sortRange } from '../../broker/table/sort-range.ts'

const characters = fc.constantFrom('a', 'b', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}')
const keys = fc.string({ unit: characters, minLength: 1, maxLength: 4 })

describe('the end of a prefix', () => {
  it('lies above every key that begins so, and below or at every other key above', () => {
    fc.assert(
      fc.property(keys, keys, (prefix, key) => {
        const end = prefixEnd(prefix)
        const isInside = compareSortKeys(key, prefix) >= 0 && (end === undefined || compareSortKeys(key, end) < 0)
        assert.equal(isInside, key.startsWith(prefix))
      }),
      { numRuns: 2000 },
    )
  })

  it('is well-formed, and there is none where every character is the last', () => {
    fc.assert(fc.property(keys, (prefix) => prefixEnd(prefix)?.isWellFormed() ?? /^\u{10ffff}+$/u.test(prefix)))
    assert.equal(prefixEnd(''), undefined)
  })
})

describe('the order of sort keys', () => {
  it('is the order of their code points', () => {
    const points = (key: string) => Array.from(key, (character) => character.codePointAt(0)!)
    fc.assert(
      fc.property(keys, keys, (left, right) => {
        const [first, second] = [points(left), points(right)]
        const index = first.findIndex((point, at) => point !== second[at])
        const expected = index === -1 ? first.length - second.length : first[index]! - (second[index] ?? -1)
        assert.equal(Math.sign(compareSortKeys(left, right)), Math.sign(expected))
      }),
    )
  })
})

it('a range that cannot hold anything is none', () => {
  for (const range of [{ limit: 0 }, { end: '' }, { start: 'b', end: 'b' }, { start: 'c', end: 'b' }]) {
    assert.equal(sortRange('p', range), undefined)
  }
  assert.deepEqual(sortRange('p', { start: '' }), { start: undefined, end: undefined, reverse: false, limit: Infinity })
})
