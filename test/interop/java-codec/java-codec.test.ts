// Kafka's generated classes as the judge: what we encode they must decode to the same values and encode to the same
// bytes, for every API and version; and headers and error codes must be theirs.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { apis } from '../../../broker/protocol/apis.ts'
import { encode } from '../../../broker/protocol/codec.ts'
import { ErrorCode } from '../../../broker/protocol/error-code.ts'
import { consumerProtocolAssignment } from '../../../broker/protocol/messages/consumer-protocol-assignment.ts'
import { consumerProtocolSubscription } from '../../../broker/protocol/messages/consumer-protocol-subscription.ts'
import { apiVersionsApi } from '../../../broker/protocol/messages/api-versions.ts'
import { type AnyField, includes, type Message, type Shape } from '../../../broker/protocol/schema.ts'
import { versionsOf } from '../../support/declared-messages.ts'
import { givenOf, randomMessage, type Value } from '../../support/random-message.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type Answer, askJava, type Question } from './java-codec.ts'

const messagesPerVersion = 12
const seed = Number(process.env['SEED'] ?? 1)

interface Case {
  readonly message: Message
  readonly value: Value
  readonly question: Question
}

function casesOf(message: Message, kind: Question['kind'], key: number): Case[] {
  const random = new SeededRandom(seed + key)
  return versionsOf(message).flatMap((version) => Array.from({ length: messagesPerVersion }, () => {
    const value = randomMessage(message, version, random)
    const bytes = encode(message, version, givenOf(message.shape, value) as never)
    return { message, value, question: { kind, key, version, bytes } }
  }))
}

const cases = [
  ...apis.flatMap(({ key, request, response }) => [...casesOf(request, 'request', key), ...casesOf(response, 'response', key)]),
  ...casesOf(consumerProtocolSubscription, 'subscription', 0), ...casesOf(consumerProtocolAssignment, 'assignment', 0),
]
const headers = apis.flatMap(({ key, flexible, versions }) => versionsOf({ versions }).map((version) => ({ key, version, isFlexible: version >= flexible })))
const nothing = Buffer.alloc(0)

let answers: Answer[]

before(async () => {
  answers = await askJava([
    ...cases.map(({ question }) => question),
    ...headers.map(({ key, version }): Question => ({ kind: 'headers', key, version, bytes: nothing })),
    { kind: 'errors', key: 0, version: 0, bytes: nothing },
    { ...cases[0]!.question, bytes: Buffer.concat([cases[0]!.question.bytes, Buffer.of(0)]) },
    { kind: 'request', key: 12, version: 0, bytes: Buffer.from([0, 5, 0x61]) },
  ])
})

test('Java answers every question, and refuses what is left over or cut off', () => {
  assert.ok(cases.length > 3000)
  assert.equal(answers.length, cases.length + headers.length + 3)
  assert.equal(answers.at(-1)!.kind, 'refused')
  assert.equal(answers.at(-2)!.kind, 'refused')
})

describe('Kafka\'s own classes read and write', () => {
  for (const message of new Set(cases.map((one) => one.message))) {
    test(`${message.name} as we do, byte by byte and value by value`, () => {
      for (const [index, one] of cases.entries()) {
        if (one.message !== message) continue
        const { version, bytes } = one.question
        const answer = answers[index]!
        const about = `version ${version} of ${JSON.stringify(one.value)}`
        if (answer.kind === 'refused') assert.fail(`${answer.why}: ${about}`)
        assert.equal(answer.bytes.toString('hex'), bytes.toString('hex'), about)
        compare(answer.json, jsonOf(message.shape, one.value, version), message.name)
      }
    })
  }
})

test('the headers of every API and version are Kafka\'s', () => {
  for (const [index, { key, version, isFlexible }] of headers.entries()) {
    const answer = answers[cases.length + index]!
    if (answer.kind === 'refused') assert.fail(answer.why)
    const expected = [isFlexible ? 2 : 1, isFlexible && key !== apiVersionsApi.key ? 1 : 0]
    assert.deepEqual(answer.json, expected, `key ${key}, version ${version}`)
  }
})

test('the error codes are Kafka\'s, all of them', () => {
  const answer = answers[cases.length + headers.length]!
  if (answer.kind === 'refused') assert.fail(answer.why)
  assert.deepEqual({ ...ErrorCode }, answer.json)
})

/** Fields that are sent at the version, as Kafka's converters put them. */
function jsonOf(shape: Shape, value: Value, version: number): Value {
  const sent = Object.entries(shape).filter(([, { facts }]) => includes(facts.versions, version))
  return Object.fromEntries(sent.map(([name, field]) => [name, jsonValue(field, value[name], version)]))
}

function jsonValue(field: AnyField, value: unknown, version: number): unknown {
  if (value === null) return null
  const { type } = field
  if (type.kind === 'struct') return jsonOf(type.shape, value as Value, version)
  if (type.kind === 'array') return (value as unknown[]).map((element) => jsonValue(type.element, element, version))
  // The converters leave record batches out; their bytes were compared.
  if (type.name === 'records') return ''
  if (type.name === 'bytes') return (value as Buffer).toString('base64')
  return value === Infinity ? 2 ** 63 : value
}

/** Theirs leaves out tagged fields at their default. */
function compare(theirs: unknown, ours: unknown, path: string): void {
  if (Array.isArray(theirs)) {
    assert.equal((ours as unknown[]).length, theirs.length, path)
    for (const [index, element] of theirs.entries()) compare(element, (ours as unknown[])[index], `${path}[${index}]`)
    return
  }
  if (typeof theirs !== 'object' || theirs === null) return assert.deepEqual(ours, theirs, path)
  for (const [name, value] of Object.entries(theirs)) compare(value, (ours as Value)[name], `${path}.${name}`)
}
