import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokenPromises, waitsOf } from './steady-checks.ts'
import type { Acked, Read } from './steady-client.ts'

const acked = (...numbers: number[]): Acked[] =>
  numbers.map((number) => ({ partition: 0, number, offset: number, sentAt: number * 10, ackedAt: number * 10 + 5 }))
const read = (offset: number, { number = offset, assignments = 1 } = {}): Read => ({ partition: 0, offset, number, at: offset * 10 + 6, assignments })
const found = (acks: readonly Acked[], reads: readonly Read[], errors: readonly string[] = []) =>
  brokenPromises({ acked: [...acks], reads: [...reads], errors: [...errors] })

describe('what is looked for in a steady client', () => {
  test('nothing, where everything is read once and in order', () => {
    assert.deepEqual(found(acked(0, 1, 2), [read(0), read(1), read(2)]), [])
  })

  test('errors that its user saw', () => assert.deepEqual(found([], [], ['gave up']), ['gave up']))

  test('a record that was acknowledged and is not there', () => {
    assert.match(found(acked(0, 1), [read(0)]).join(), /number 1, acknowledged at offset 1, is not read there/)
  })

  test('a record that was written twice', () => {
    assert.match(found(acked(0, 1), [read(0), read(1), read(2, { number: 1 })]).join(), /offset 2 has number 1/)
  })

  test('records in another order', () => {
    assert.equal(found([], [read(0, { number: 1 }), read(1, { number: 0 })]).length, 2)
  })

  test('an offset that was left out, and one that was read again though nothing was given out anew', () => {
    assert.match(found([], [read(0), read(2)]).join(), /after offset 0 came 2/)
    assert.match(found([], [read(0), read(1), read(1)]).join(), /after offset 1 came 1/)
  })

  test('not what is read again after partitions were given out anew', () => {
    assert.deepEqual(found(acked(0, 1), [read(0), read(1), read(1, { assignments: 2 }), read(2, { assignments: 2 })]), [])
  })
})

test('waits are told of the phase in which they end', () => {
  const client = { acked: [...acked(0, 1, 2), ...acked(9, 10)], reads: [read(0), read(1), read(9)] }
  const { count, gapMsMax, gapMedianMs, ackMsMax, readGapMsMax } = waitsOf(client, { start: 50, end: 200 })
  assert.deepEqual([count, gapMsMax, gapMedianMs, ackMsMax, readGapMsMax], [2, 70, 70, 5, 80])
})
