// Random messages of a declaration at a version, as a decoder returns them; written against the declarations alone, so
// that it agrees with the compiled codecs only where both are right.

import { type AnyField, includes, type Message, type PrimitiveName, type Shape } from '../../broker/protocol/schema.ts'
import type { SeededRandom } from './seeded-random.ts'

export type Value = { [name: string]: unknown }

/** What a decoder makes of what is not there. */
export function defaultOf(field: AnyField): unknown {
  const { fallback } = field.facts
  if (fallback !== undefined) return fallback
  if (field.type.kind === 'array') return []
  if (field.type.kind === 'struct') return Object.fromEntries(Object.entries(field.type.shape).map(([name, member]) => [name, defaultOf(member)]))
  return zeros[field.type.name]()
}

const zeros: { readonly [name in PrimitiveName]: () => unknown } = {
  bool: () => false, int8: () => 0, int16: () => 0, uint16: () => 0, int32: () => 0, int64: () => 0, float64: () => 0,
  string: () => '', bytes: () => Buffer.alloc(0), records: () => null, uuid: () => 'AAAAAAAAAAAAAAAAAAAAAA',
}

export function randomMessage(message: Message, version: number, random: SeededRandom): Value {
  return randomStruct(message.shape, { version, random, depth: 0 })
}

interface Making {
  readonly version: number
  readonly random: SeededRandom
  readonly depth: number
}

function randomStruct(shape: Shape, making: Making): Value {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, randomValue(field, making)]))
}

function randomValue(field: AnyField, making: Making): unknown {
  const { version, random } = making
  const { versions, nullable, tagVersions } = field.facts
  if (!includes(versions, version)) return defaultOf(field)
  // A tagged field is only sent where it differs, so both must happen.
  if (includes(tagVersions, version) && random.chance(0.4)) return defaultOf(field)
  if (includes(nullable, version) && random.chance(0.3)) return null
  if (field.type.kind === 'struct') return randomStruct(field.type.shape, { ...making, depth: making.depth + 1 })
  if (field.type.kind === 'primitive') return randomPrimitive(field.type.name, random)
  const { element } = field.type
  const length = random.below(Math.max(2, 5 - making.depth))
  return Array.from({ length }, () => randomValue(element, { ...making, depth: making.depth + 1 }))
}

function randomPrimitive(name: PrimitiveName, random: SeededRandom): unknown {
  switch (name) {
    case 'bool': return random.chance(0.5)
    case 'int8': return random.pick([0, 1, -1, 127, -128, random.between(-128, 127)])
    case 'int16': return random.pick([0, 1, -1, 32_767, -32_768, random.between(-32_768, 32_767)])
    case 'uint16': return random.pick([0, 1, 65_535, random.below(65_536)])
    case 'int32': return random.pick([0, 1, -1, 0x7fff_ffff, -0x8000_0000, random.between(-0x8000_0000, 0x7fff_ffff)])
    case 'int64': return random.pick(int64s(random))
    case 'float64': return random.pick([0, -1.5, 1e300, random.fraction()])
    case 'string': return randomString(random)
    case 'bytes': case 'records': return random.bytes(random.pick([0, 1, 30, 300]))
    case 'uuid': return random.chance(0.2) ? 'AAAAAAAAAAAAAAAAAAAAAA' : random.bytes(16).toString('base64url')
  }
}

function int64s(random: SeededRandom): readonly number[] {
  const large = random.below(Number.MAX_SAFE_INTEGER)
  return [0, 1, -1, 0xffff_ffff, 0x1_0000_0000, -0x1_0000_0000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, Infinity, large, -large]
}

function randomString(random: SeededRandom): string {
  const letters = random.pick(['a', 'topic', 'ä', '日本', '🦌', '\u0000', '__proto__'])
  return letters.repeat(random.pick([0, 1, 1, 2, 3, 20, 60]))
}

/** The same as an encoder takes it: record batches as a list of buffers. */
export function givenOf(shape: Shape, value: Value): Value {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, givenValue(field, value[name])]))
}

function givenValue(field: AnyField, value: unknown): unknown {
  const { type } = field
  if (value === null) return null
  if (type.kind === 'struct') return givenOf(type.shape, value as Value)
  if (type.kind === 'array') return (value as unknown[]).map((element) => givenValue(type.element, element))
  if (type.name !== 'records') return value
  const bytes = value as Buffer
  const middle = bytes.length >>> 1
  return [bytes.subarray(0, middle), bytes.subarray(middle)]
}
