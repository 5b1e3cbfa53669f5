import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { checkObjectKey } from '../../broker/objects/object-key.ts'
import { objectKey, parseObjectKey, partitionPrefix } from '../../broker/tier/object-key.ts'

const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
const name = fc.record({
  clusterId: fc.stringMatching(/^[A-Za-z0-9_-]{1,100}$/), topicId: uuid, partition: fc.nat(2 ** 31 - 1),
  baseOffset: fc.nat(Number.MAX_SAFE_INTEGER - 1),
  epoch: fc.nat(2 ** 31 - 1), generation: fc.nat(2 ** 31 - 1), uuid,
}).chain((made) => {
  const ends = fc.integer({ min: made.baseOffset + 1, max: Number.MAX_SAFE_INTEGER })
  return ends.map((endOffset) => ({ ...made, endOffset }))
})

suite('object keys', () => {
  test('a key says all that it was made of, fits every store, and lies in its partition\'s place', () => {
    fc.assert(fc.property(name, (made) => {
      const key = objectKey(made)
      assert.deepEqual(parseObjectKey(key), made)
      assert.ok(key.startsWith(partitionPrefix(made.clusterId, made)))
      checkObjectKey(key)
    }))
  })

  test('keys of one partition sort by their offsets', () => {
    const of = (baseOffset: number) => objectKey({
      clusterId: 'c', topicId: 'A'.repeat(22), partition: 1, baseOffset, endOffset: baseOffset + 1,
      epoch: 1, generation: 0, uuid: 'B'.repeat(22),
    })
    const offsets = [0, 9, 10, 99, 2 ** 31, 2 ** 32, 2 ** 53 - 2]
    assert.deepEqual(offsets.map(of).toSorted(), offsets.map(of))
  })

  test('what is not exactly such a key is nobody\'s', () => {
    const key = objectKey({
      clusterId: 'c', topicId: 'A'.repeat(22), partition: 1, baseOffset: 5, endOffset: 9,
      epoch: 1, generation: 0, uuid: 'B'.repeat(22),
    })
    const [, , hash] = key.split('/')
    const others = [
      '', `${key}x`, `x${key}`, key.replace('v1/', 'v2/'), key.replace('/1/', '/2/'), key.replace(hash!, 'zzzz'),
      key.replace('-e1-', '-e01-'), `${key}/`, key.replace('-g0', ''),
      key.replace('00000000000000000009', '00000000000000000005'),
      key.replace('00000000000000000009', '99999999999999999999'),
    ]
    for (const other of others) assert.equal(parseObjectKey(other), undefined, other)
  })
})
