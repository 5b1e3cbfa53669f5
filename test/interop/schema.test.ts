// Every declaration against the schema that Kafka ships, at every version that we serve: one line per field and fact,
// and the lines must be the same.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { apis } from '../../broker/protocol/apis.ts'
import { type AnyField, includes, type Message, type Shape } from '../../broker/protocol/schema.ts'
import { declaredMessages, versionsOf } from '../support/declared-messages.ts'
import { defaultOf } from '../support/random-message.ts'
import { type KafkaField, type KafkaSchema, kafkaSchemas, parseVersions } from './kafka-schemas.ts'

const schemas = kafkaSchemas()

/** A field as both sides can be put: its place, type, nullability, tag and default at a version. */
function fact(path: string, facts: { readonly type: string; readonly isNullable: boolean; readonly tag: number | undefined; readonly fallback: unknown }): string {
  const { type, isNullable, tag, fallback } = facts
  return `${path}: ${type}${isNullable ? '?' : ''}${tag === undefined ? '' : ` tag ${tag}`} = ${fallback === Infinity ? 'Infinity' : JSON.stringify(fallback)}`
}

function ours(shape: Shape, version: number, path = ''): string[] {
  return Object.entries(shape).filter(([, field]) => includes(field.facts.versions, version)).flatMap(([name, field]) => {
    const place = `${path}.${name}`
    const { type, isStruct, members } = typeOf(field)
    return [
      fact(place, {
        type, isNullable: includes(field.facts.nullable, version),
        tag: includes(field.facts.tagVersions, version) ? field.facts.tag : undefined,
        fallback: isStruct && field.facts.fallback === undefined ? 'struct' : defaultFact(defaultOf(field)),
      }),
      ...(members === undefined ? [] : ours(members, version, place)),
    ]
  })
}

function defaultFact(value: unknown): unknown {
  return Buffer.isBuffer(value) ? '' : value
}

function typeOf(field: AnyField): { readonly type: string; readonly isStruct: boolean; readonly members: Shape | undefined } {
  if (field.type.kind === 'primitive') return { type: field.type.name, isStruct: false, members: undefined }
  if (field.type.kind === 'struct') return { type: 'struct', isStruct: true, members: field.type.shape }
  const { type, members } = typeOf(field.type.element)
  return { type: `[]${type}`, isStruct: false, members }
}

function kafkas(schema: KafkaSchema, version: number, fields = schema.fields, path = ''): string[] {
  return fields.filter((field) => includes(parseVersions(field.versions), version)).flatMap((field) => {
    const place = `${path}.${field.name[0]!.toLowerCase()}${field.name.slice(1)}`
    const element = field.type.replace(/^\[\]/, '')
    const members = /^[A-Z]/.test(element) ? (field.fields ?? schema.commonStructs!.find(({ name }) => name === element)!.fields!) : undefined
    const type = `${field.type.startsWith('[]') ? '[]' : ''}${members === undefined ? element : 'struct'}`
    assert.equal(field.flexibleVersions, undefined, `${schema.name}${place} has flexible versions of its own`)
    return [
      fact(place, {
        type, isNullable: includes(parseVersions(field.nullableVersions ?? 'none'), version),
        tag: includes(parseVersions(field.taggedVersions ?? 'none'), version) ? field.tag : undefined, fallback: kafkaDefault(field, type),
      }),
      ...(members === undefined ? [] : kafkas(schema, version, members, place)),
    ]
  })
}

function kafkaDefault(field: KafkaField, type: string): unknown {
  const given = field.default
  if (given === 'null') return null
  if (type.startsWith('[]')) return []
  switch (type) {
    case 'struct': return 'struct'
    case 'string': case 'bytes': return given ?? ''
    case 'records': return null
    case 'bool': return String(given ?? 'false') === 'true'
    case 'uuid': return 'AAAAAAAAAAAAAAAAAAAAAA'
    default: {
      const number = Number(given ?? 0)
      return number === 2 ** 63 ? Infinity : number
    }
  }
}

function schemaOf(declared: Message): KafkaSchema {
  const schema = schemas.get(declared.name)
  assert.ok(schema !== undefined, `Kafka has no ${declared.name}`)
  return schema
}

describe('the declaration of', () => {
  for (const declared of declaredMessages) {
    test(`${declared.name} is Kafka's, field by field at every version`, () => {
      const schema = schemaOf(declared)
      const [valid, flexible] = [parseVersions(schema.validVersions)!, parseVersions(schema.flexibleVersions)]
      assert.equal(declared.flexible, flexible?.start ?? Infinity)
      for (const version of versionsOf(declared)) {
        assert.deepEqual(ours(declared.shape, version), kafkas(schema, version), `version ${version}`)
      }
      // Kafka serves only what is valid for requests; we may still understand what it has given up.
      assert.ok(declared.versions.end <= valid.end, `${declared.name} has no version ${declared.versions.end}`)
    })
  }

  for (const api of apis) {
    test(`${api.name} has Kafka's key`, () => assert.equal(api.key, schemaOf(api.request).apiKey))
  }
})

describe('the comparison', () => {
  test('sees a name, a type, a version, a nullability, a tag and a default that differ', () => {
    const schema = schemas.get('FetchRequest')!
    const first = schema.fields[0]!
    const right = kafkas(schema, 12)
    for (const change of [
      { name: 'Other' }, { type: 'bytes' }, { versions: '13+' }, { nullableVersions: '13+' }, { tag: 3 }, { taggedVersions: '13+' }, { default: '' },
    ]) {
      assert.notDeepEqual(kafkas({ ...schema, fields: [{ ...first, ...change }, ...schema.fields.slice(1)] }, 12), right, JSON.stringify(change))
    }
  })

  test('saw every version of every message', () => {
    assert.ok(schemas.size > 150)
    assert.ok(declaredMessages.length >= 64)
  })
})

test('what Kafka has and we do not is known', (t) => {
  const byKey = new Map(apis.map((api) => [api.key, api]))
  const requests = [...schemas.values()].filter(({ type, listeners }) => type === 'request' && listeners?.includes('broker'))
  for (const { apiKey, name, validVersions, latestVersionUnstable } of requests.toSorted((one, other) => one.apiKey! - other.apiKey!)) {
    const valid = parseVersions(validVersions)
    if (valid === undefined) continue
    const newest = latestVersionUnstable ? valid.end - 1 : valid.end
    const api = byKey.get(apiKey!)
    if (api === undefined) t.diagnostic(`${name.replace(/Request$/, '')} (${apiKey}) is not declared; Kafka has versions ${valid.start} to ${newest}`)
    else if (api.versions.end < newest) t.diagnostic(`${api.name} (${apiKey}) ends at version ${api.versions.end}; Kafka's newest is ${newest}`)
    else if (api.versions.start > valid.start) t.diagnostic(`${api.name} (${apiKey}) begins at version ${api.versions.start}; Kafka's oldest is ${valid.start}`)
  }
})
