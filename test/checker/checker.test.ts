import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { check, type Violation } from '../durability/checker.ts'
import type { Attempt, History, LoggedBatch, Sighting } from '../durability/history.ts'
import { parseValue, valueBytes } from '../durability/value.ts'

type Draft<T> = { -readonly [K in keyof T]: T[K] }
interface DraftHistory {
  attempts: Draft<Attempt>[]
  polls: Draft<Sighting>[][]
  dismissals: string[]
  final: Draft<Sighting>[]
  batches: Draft<LoggedBatch>[]
}

/** Two producers, one of them idempotent, on two partitions; one batch of each is of unknown outcome, one is refused. */
function goodHistory(): DraftHistory {
  const history: DraftHistory = { attempts: [], polls: [[], []], dismissals: [], final: [], batches: [] }
  const ends = [0, 0]
  for (let round = 0; round < 20; round++) {
    for (const producer of [0, 1]) {
      for (const partition of [0, 1]) {
        const isIdempotent = producer === 0
        const values = [0, 1, 2].map((index) => `${producer}.${partition}.${round}.${index}`)
        const outcome = isIdempotent ? 'ok' : round === 7 ? 'fail' : round === 9 || round === 11 ? 'info' : 'ok'
        // Of the two that nobody knows about, the first was written and the second was not.
        const isWritten = outcome === 'ok' || round === 9
        const offset = ends[partition]!
        history.attempts.push({
          producer,
          isIdempotent,
          partition,
          values,
          outcome,
          offset: outcome === 'ok' ? offset : -1,
          reason: '',
        })
        if (!isWritten) continue
        history.final.push(...values.map((value, index) => ({ partition, offset: offset + index, value })))
        history.batches.push({
          partition,
          baseOffset: offset,
          recordCount: 3,
          producerId: isIdempotent ? 5 : -1,
          producerEpoch: isIdempotent ? 0 : -1,
          baseSequence: isIdempotent ? round * 3 : -1,
        })
        ends[partition] = offset + 3
      }
    }
  }
  history.final.sort((one, other) => one.partition - other.partition || one.offset - other.offset)
  history.polls[0] = history.final.filter(({ offset }) => offset > 5).map((sighting) => ({ ...sighting }))
  history.polls[1] = history.final.filter(({ offset }) => offset < 30).map((sighting) => ({ ...sighting }))
  return history
}

/** Where a value of an acknowledged batch of the given kind lies in the end. */
function acknowledged(history: DraftHistory, isIdempotent: boolean): { attempt: Draft<Attempt>; at: number } {
  const attempt = history.attempts.filter((one) => one.outcome === 'ok' && one.isIdempotent === isIdempotent)[12]!
  return { attempt, at: history.final.findIndex(({ value }) => value === attempt.values[1]) }
}

/** Takes a record out as if it had never been there: what follows moves up. */
function remove(history: DraftHistory, at: number): void {
  const [gone] = history.final.splice(at, 1)
  for (const sighting of history.final)
    if (sighting.partition === gone!.partition && sighting.offset > gone!.offset) sighting.offset--
}

const mutations: readonly {
  readonly what: string
  readonly rule: Violation['rule']
  readonly mutate: (history: DraftHistory) => void
}[] = [
  {
    what: 'an acknowledged value is gone, and a hole is where it was',
    rule: 'lost',
    mutate: (h) => void h.final.splice(acknowledged(h, false).at, 1),
  },
  { what: 'the same leaves a gap', rule: 'gap', mutate: (h) => void h.final.splice(acknowledged(h, false).at, 1) },
  { what: 'an acknowledged value is gone without a trace', rule: 'lost', mutate: (h) => remove(h, acknowledged(h, true).at) },
  { what: 'the last acknowledged value of a partition is gone', rule: 'lost', mutate: (h) => void h.final.pop() },
  { what: 'the first value of a partition is gone', rule: 'gap', mutate: (h) => void h.final.shift() },
  {
    what: 'a partition is empty',
    rule: 'lost',
    mutate: (h) => void (h.final = h.final.filter(({ partition }) => partition === 0)),
  },
  {
    what: 'two values are swapped',
    rule: 'moved',
    mutate: (h) => {
      const { at } = acknowledged(h, false)
      const [one, other] = [h.final[at]!, h.final[at + 1]!]
      ;[one.value, other.value] = [other.value, one.value]
    },
  },
  {
    what: 'two values of one producer are swapped, and so are the acknowledgements',
    rule: 'reordered',
    mutate: (h) => {
      const of = h.attempts.filter((one) => one.producer === 1 && one.partition === 0 && one.outcome === 'ok')
      const [one, other] = [of[2]!, of[3]!]
      for (const index of [0, 1, 2]) {
        const [a, b] = [one, other].map((attempt) => h.final.find(({ value }) => value === attempt.values[index])!)
        ;[a!.value, b!.value] = [b!.value, a!.value]
      }
      ;[one.offset, other.offset] = [other.offset, one.offset]
      h.polls = []
    },
  },
  {
    what: 'a value is there twice',
    rule: 'duplicate',
    mutate: (h) => {
      const end = h.final.filter(({ partition }) => partition === 1).length
      h.final.push({ partition: 1, offset: end, value: h.final.find(({ partition }) => partition === 1)!.value })
    },
  },
  {
    what: 'a batch of an idempotent producer is there twice',
    rule: 'sequence',
    mutate: (h) => {
      const batch = h.batches.find(({ producerId, partition }) => producerId >= 0 && partition === 1)!
      h.batches.push({ ...batch, baseOffset: 500 })
    },
  },
  {
    what: 'a batch of an idempotent producer is left out',
    rule: 'sequence',
    mutate: (h) =>
      void h.batches.splice(
        h.batches.findIndex((b) => b.baseSequence === 9),
        1,
      ),
  },
  { what: 'an acknowledgement names the next offset', rule: 'moved', mutate: (h) => void acknowledged(h, true).attempt.offset++ },
  { what: 'an acknowledgement names offset 0', rule: 'moved', mutate: (h) => void (acknowledged(h, false).attempt.offset = 0) },
  {
    what: 'a value lies in another partition',
    rule: 'moved',
    mutate: (h) => {
      const { attempt } = acknowledged(h, false)
      attempt.partition = 1 - attempt.partition
    },
  },
  { what: 'a value that nobody sent is there', rule: 'phantom', mutate: (h) => void (h.final[4]!.value = 'nobody sent me') },
  {
    what: 'a refused value is there',
    rule: 'refused but written',
    mutate: (h) => {
      const refused = h.attempts.find(({ outcome }) => outcome === 'fail')!
      h.final.push({
        partition: refused.partition,
        offset: h.final.filter(({ partition }) => partition === refused.partition).length,
        value: refused.values[0]!,
      })
    },
  },
  {
    what: 'a consumer was told that its offset is out of range',
    rule: 'dismissed',
    mutate: (h) => void h.dismissals.push('out of range'),
  },
  { what: 'the bytes of a value are other ones', rule: 'damaged', mutate: (h) => void (h.final[4]!.isDamaged = true) },
  { what: 'a consumer was given other bytes', rule: 'damaged', mutate: (h) => void (h.polls[1]![4]!.isDamaged = true) },
  { what: 'a consumer saw another value', rule: 'changed', mutate: (h) => void (h.polls[0]![3]!.value = h.final[0]!.value) },
  { what: 'a consumer was led past a record', rule: 'gap', mutate: (h) => void h.polls[1]!.splice(4, 1) },
  { what: 'a consumer saw a record again', rule: 'gap', mutate: (h) => void h.polls[1]!.splice(4, 0, { ...h.polls[1]![4]! }) },
  {
    what: 'a consumer saw a record that is gone',
    rule: 'lost',
    mutate: (h) => void h.polls[0]!.push({ partition: 1, offset: 1000, value: 'x' }),
  },
  {
    what: 'offsets start anew in the middle',
    rule: 'gap',
    mutate: (h) => {
      for (const sighting of h.final) if (sighting.partition === 1 && sighting.offset >= 60) sighting.offset -= 60
    },
  },
  {
    what: "an idempotent producer's value of unknown outcome is left out between others",
    rule: 'lost',
    mutate: (h) => {
      const { attempt } = acknowledged(h, true)
      attempt.outcome = 'info'
      for (const value of attempt.values)
        remove(
          h,
          h.final.findIndex((sighting) => sighting.value === value),
        )
      for (const other of h.attempts)
        if (other.partition === attempt.partition && other.offset > attempt.offset) other.offset -= 3
      h.polls = []
      h.batches = []
    },
  },
]

describe('the checker', () => {
  test('finds nothing in a good history, whose values of unknown outcome may be there or not', () => {
    assert.deepEqual(check(goodHistory() as History), [])
  })

  for (const { what, rule, mutate } of mutations) {
    test(`sees that ${what}`, () => {
      const history = goodHistory()
      mutate(history)
      const rules = new Set(check(history as History).map((violation) => violation.rule))
      assert.ok(rules.has(rule), `found only: ${[...rules].join(', ') || 'nothing'}`)
    })
  }
})

describe('the value of a record', () => {
  test('is known again, and no byte of it can be another one', () => {
    const whole = valueBytes('3:1:42', 80)
    assert.deepEqual(parseValue(whole), { value: '3:1:42', isDamaged: false })
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 1
      assert.ok(parseValue(damaged).isDamaged, `byte ${at}`)
    }
    assert.ok(parseValue(whole.subarray(0, -1)).isDamaged, 'one that is cut')
    assert.ok(parseValue(Buffer.concat([whole, Buffer.from('.')])).isDamaged, 'one that is longer')
  })
})
