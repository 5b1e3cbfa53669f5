import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Program, StepBudget } from '../../broker/coordinator/consumer/regex/program.ts'
import { InvalidRegex } from '../../broker/coordinator/consumer/regex/syntax.ts'
import { problemWithPattern, stepsMax, topicsMatching } from '../../broker/coordinator/consumer/regex/topic-pattern.ts'
import { FakeTopics } from './fake-topics.ts'

function matches(pattern: string, name: string): boolean {
  return new Program(pattern).matches(name, new StepBudget(stepsMax))
}

/** Patterns that mean the same in RE2 and in JavaScript. */
const patterns = fc.letrec<{ whole: string; piece: string; atom: string }>((tie) => ({
  whole: fc.oneof({ maxDepth: 3 }, tie('piece'), fc.tuple(tie('whole'), tie('whole')).map(([one, other]) => `${one}|${other}`)),
  piece: fc.array(fc.tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,}', '*?', '+?'))
    .map(([atom, times]) => atom + times), { maxLength: 4 }).map((pieces) => pieces.join('')),
  atom: fc.oneof({ maxDepth: 3 },
    fc.constantFrom('a', 'b', 'c', '.', '\\.', '-', '_', '\\d', '\\w', '\\W', '\\S', '[ab]', '[^ab]', '[a-c.]', '[\\d_]', '[^\\w]', '\\x61', '(?:)'),
    fc.tuple(fc.constantFrom('(', '(?:'), tie('whole')).map(([open, inside]) => `${open}${inside})`),
    fc.constantFrom('(?:^)', '(?:$)', '(?:\\b)', '(?:\\B)')),
})).whole

const names = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '-', '_', '1', 'Z'), maxLength: 8 })

test('a pattern matches what it matches in JavaScript', () => {
  fc.assert(fc.property(patterns, fc.array(names, { maxLength: 6 }), (pattern, texts) => {
    const expected = new RegExp(`^(?:${pattern})$`)
    for (const text of texts) assert.equal(matches(pattern, text), expected.test(text), `${pattern} on ${text}`)
  }), { numRuns: 2_000 })
})

test('what RE2 has and JavaScript writes differently is understood', () => {
  const cases: [pattern: string, yes: readonly string[], no: readonly string[]][] = [
    ['(?i)ORDERS', ['orders', 'Orders'], ['order']],
    ['(?i:a)b', ['ab', 'Ab'], ['AB']],
    ['(?i)a(?-i)b', ['Ab'], ['AB']],
    ['\\Qa.b*\\E+', ['a.b*', 'a.b**'], ['aab']],
    ['[[:alpha:]]+[[:^digit:]]', ['ab-', 'abc'], ['ab1']],
    ['\\pL+\\p{Nd}', ['ab1', 'Z9'], ['1a']],
    ['\\P{Lu}+', ['ab-'], ['aB']],
    ['\\p{Greek}*', [''], ['a']],
    ['\\Aab\\z', ['ab'], ['abc']],
    ['(?P<name>a)(?<other>b)', ['ab'], ['a']],
    ['a{,2}', ['a{,2}'], ['aa']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['-', 'a'], ['b']],
    ['a||b', ['a', 'b', ''], ['ab']],
    ['(?s).', ['\n'], ['']],
    ['\\141\\x{62}', ['ab'], ['a']],
  ]
  for (const [pattern, yes, no] of cases) {
    for (const name of yes) assert.equal(matches(pattern, name), true, `${pattern} on ${name}`)
    for (const name of no) assert.equal(matches(pattern, name), false, `${pattern} on ${name}`)
  }
})

test('what RE2 does not have is refused', () => {
  for (const pattern of ['(', 'a)', '[', '[b-a]', '*', 'a**', 'a{2}{3}', '(?=a)', '(?!a)', '(?<=a)', '(a)\\1', '\\k<a>', 'a{1001}', 'a{3,2}', '\\', '\\p{Nothing}', '[[:nothing:]]', '\\8']) {
    assert.throws(() => new Program(pattern), InvalidRegex, pattern)
    assert.notEqual(problemWithPattern(pattern), undefined)
  }
})

test('patterns that are too large are refused', () => {
  assert.notEqual(problemWithPattern('(a{1000}){1000}'), undefined)
  assert.notEqual(problemWithPattern('a'.repeat(10_001)), undefined)
  assert.notEqual(problemWithPattern('('.repeat(5_000)), undefined)
})

test('patterns that take others exponential time take little', () => {
  for (const pattern of ['(a+)+b', '(a|aa)+b', '(a|a?)+b', '(.*)*b', '(?:a?){100}a{100}b']) {
    const budget = new StepBudget(1_000_000)
    assert.equal(new Program(pattern).matches('a'.repeat(249), budget), false)
    assert.equal(budget.isSpent, false, pattern)
  }
})

test('topics that come and go are matched anew', () => {
  const topics = new FakeTopics({ orders: 1, payments: 1 })
  assert.deepEqual([...topicsMatching('o.*', topics)], ['orders'])
  topics.put('others', 1)
  topics.remove('orders')
  assert.deepEqual([...topicsMatching('o.*', topics)], ['others'])
})
