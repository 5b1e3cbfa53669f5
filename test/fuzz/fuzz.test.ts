import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MalformedMessage } from '../../broker/protocol/reader.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { Crasher, fuzz } from './fuzz.ts'
import { mutate } from './mutate.ts'
import { targets } from './targets.ts'

/** `SEED=7 DECODES=5000000` to look elsewhere or further; `npm run fuzz` does so by the minute. */
const seed = Number(process.env['SEED'] ?? 1)
const decodes = Number(process.env['DECODES'] ?? 1_000_000)

describe('damaged bytes', () => {
  const shares = targets.reduce((sum, { share }) => sum + share, 0)
  for (const { name, share } of targets) {
    test(`shown to ${name} are understood or refused, and nothing else`, () => {
      for (const report of fuzz({ decodes: Math.ceil(decodes * share / shares), seed, only: name })) {
        // Mutations that are all refused at once would have tried the front door alone.
        assert.ok(report.understood > report.decodes / 50, `${report.understood} of ${report.decodes} were understood`)
        assert.ok(report.understood < report.decodes, 'nothing was refused')
      }
    })
  }
})

describe('the fuzzer', () => {
  test('does the same again for the same seed', () => {
    const [one, other] = [new SeededRandom(3), new SeededRandom(3)]
    for (let round = 0; round < 100; round++) assert.deepEqual(mutate(Buffer.from('some bytes to damage'), one), mutate(Buffer.from('some bytes to damage'), other))
  })

  test('damages a copy', () => {
    const bytes = Buffer.from('some bytes to damage')
    const random = new SeededRandom(4)
    let changed = 0
    for (let round = 0; round < 100; round++) if (!mutate(bytes, random).equals(bytes)) changed++
    assert.ok(changed > 90)
    assert.equal(bytes.toString(), 'some bytes to damage')
  })

  test('reports what is not an error that the decoder may throw, with the input', () => {
    const target = {
      name: 'a bad decoder', share: 1, isExpected: (cause: unknown) => cause instanceof MalformedMessage,
      samples: () => [{ name: 'sample', bytes: Buffer.alloc(8), run: (bytes: Buffer) => bytes.readUInt32BE(4) >= 0 }],
    }
    assert.throws(() => fuzz({ decodes: 1000, seed: 1, targets: [target] }), (cause) => cause instanceof Crasher && /RangeError/.test(cause.message))
  })
})
