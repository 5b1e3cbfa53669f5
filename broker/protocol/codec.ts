// Compiles a declaration to one straight-line function per version and direction. Every line of the generated code
// sees one shape of object, which is what makes it several times faster than an interpreter or closures
// (docs/adr/0002). The source is made of declared names only, never of anything from the network.

import { MalformedMessage, Reader } from './reader.ts'
import { type AnyField, type GivenOf, includes, type Message, type PrimitiveName, type ReadOf, type Shape } from './schema.ts'
import { lengthOf, Writer } from './writer.ts'

export interface Codec<S extends Shape> {
  /** Throws `MalformedMessage` where the bytes do not hold the message. Bytes behind it are left alone. */
  read(reader: Reader): ReadOf<S>
  write(writer: Writer, value: GivenOf<S>): void
}

const compiled = new WeakMap<Message<any>, Map<number, Codec<any>>>()

/** The codec of a version, compiled on first use. Throws where the declaration does not have the version. */
export function codec<S extends Shape>(message: Message<S>, version: number): Codec<S> {
  let versions = compiled.get(message)
  if (versions === undefined) compiled.set(message, (versions = new Map()))
  const known = versions.get(version)
  if (known !== undefined) return known
  if (!includes(message.versions, version)) throw new RangeError(`${message.name} has no version ${version}`)
  const made: Codec<S> = { read: compileRead(message, version), write: compileWrite(message, version) }
  versions.set(version, made)
  return made
}

/** Source code in the making, with names that never clash. */
class Source {
  readonly lines: string[] = []
  readonly version: number
  readonly flexible: boolean
  #names = 0

  constructor(version: number, flexible: boolean) {
    this.version = version
    this.flexible = flexible
  }

  name(): string {
    return `v${this.#names++}`
  }

  add(line: string): void {
    this.lines.push(line)
  }

  has(field: AnyField): boolean {
    return includes(field.facts.versions, this.version)
  }

  isTagged(field: AnyField): boolean {
    return this.has(field) && includes(field.facts.tagVersions, this.version)
  }

  isNullable(field: AnyField): boolean {
    return includes(field.facts.nullable, this.version)
  }
}

const zeros: { readonly [name in PrimitiveName]: string } = {
  bool: 'false', int8: '0', int16: '0', uint16: '0', int32: '0', int64: '0', float64: '0', string: "''",
  bytes: 'EMPTY', records: 'null', uuid: "'AAAAAAAAAAAAAAAAAAAAAA'",
}

/** An expression for the field's default. */
function fallbackOf(field: AnyField): string {
  const { fallback } = field.facts
  if (fallback === Infinity) return 'Infinity'
  if (fallback !== undefined) return JSON.stringify(fallback)
  if (field.type.kind === 'array') return '[]'
  if (field.type.kind === 'primitive') return zeros[field.type.name]
  const members = Object.entries(field.type.shape).map(([name, member]) => `${name}: ${fallbackOf(member)}`)
  return `{ ${members.join(', ')} }`
}

/** The fewest bytes that a value can take, so that an array's count can be held against the bytes left. */
function bytesMin(field: AnyField, source: Source): number {
  if (field.type.kind === 'array') return source.flexible ? 1 : 4
  if (field.type.kind === 'struct') {
    if (source.isNullable(field)) return 1
    let sum = source.flexible ? 1 : 0
    for (const member of Object.values(field.type.shape)) {
      if (source.has(member) && !source.isTagged(member)) sum += bytesMin(member, source)
    }
    return Math.max(sum, 1)
  }
  switch (field.type.name) {
    case 'bool': case 'int8': return 1
    case 'int16': case 'uint16': return 2
    case 'int32': return 4
    case 'int64': case 'float64': return 8
    case 'uuid': return 16
    case 'string': return source.flexible ? 1 : 2
    case 'bytes': case 'records': return source.flexible ? 1 : 4
  }
}

function compileRead<S extends Shape>(message: Message<S>, version: number): (reader: Reader) => ReadOf<S> {
  const source = new Source(version, version >= message.flexible)
  const result = readStruct(source, message.shape)
  const body = `'use strict'; return function read${message.name}${version}(r) {\n${source.lines.join('\n')}\nreturn ${result}\n}`
  const make = new Function('MalformedMessage', 'EMPTY', body)
  return make(MalformedMessage, Buffer.alloc(0)) as (reader: Reader) => ReadOf<S>
}

/** Adds the lines that read a struct, and returns an expression for it. */
function readStruct(source: Source, shape: Shape): string {
  const names = new Map<string, string>()
  for (const [name, field] of Object.entries(shape)) {
    const variable = source.name()
    names.set(name, variable)
    if (!source.has(field) || source.isTagged(field)) source.add(`let ${variable} = ${fallbackOf(field)}`)
    else source.add(`const ${variable} = ${readField(source, field, name)}`)
  }
  if (source.flexible) readTags(source, shape, names)
  return `{ ${[...names].map(([name, variable]) => `${name}: ${variable}`).join(', ')} }`
}

function readTags(source: Source, shape: Shape, names: ReadonlyMap<string, string>): void {
  const tagged = Object.entries(shape).filter(([, field]) => source.isTagged(field))
  if (tagged.length === 0) {
    source.add('r.skipTags()')
    return
  }
  const [left, tag, end] = [source.name(), source.name(), source.name()]
  source.add(`for (let ${left} = r.uvarint(); ${left} > 0; ${left}--) {`)
  source.add(`const ${tag} = r.uvarint()`)
  source.add(`const ${end} = r.uvarint() + r.position`)
  source.add(`if (${end} > r.bytes.length) throw new MalformedMessage('a tagged field is longer than the frame')`)
  source.add(`switch (${tag}) {`)
  for (const [name, field] of tagged) {
    source.add(`case ${field.facts.tag}: {`)
    source.add(`${names.get(name)} = ${readField(source, field, name)}`)
    source.add(`if (r.position !== ${end}) throw new MalformedMessage('${name} does not end where its tag says')`)
    source.add('break\n}')
  }
  source.add(`default: r.position = ${end}\n}\n}`)
}

/** Adds the lines that read a field where they are needed, and returns an expression for its value. */
function readField(source: Source, field: AnyField, name: string): string {
  if (field.type.kind === 'array') return readArray(source, field, name)
  if (field.type.kind === 'struct') return readNested(source, field)
  const type = field.type.name
  if (type !== 'string' && type !== 'bytes' && type !== 'records') return `r.${type}()`
  const length = source.name()
  source.add(`const ${length} = ${lengthPrefix(source, type === 'string' ? 'int16' : 'int32')}`)
  if (!source.isNullable(field)) refuseNull(source, length, name)
  const value = type === 'string' ? `r.string(${length})` : `r.slice(${length})`
  if (!source.isNullable(field)) return value
  return `${length} < 0 ? null : ${value}`
}

function lengthPrefix(source: Source, before: 'int16' | 'int32'): string {
  return source.flexible ? 'r.uvarint() - 1' : `r.${before}()`
}

function refuseNull(source: Source, length: string, name: string): void {
  source.add(`if (${length} < 0) throw new MalformedMessage('${name} may not be null')`)
}

function readArray(source: Source, field: AnyField, name: string): string {
  if (field.type.kind !== 'array') throw new TypeError('not an array')
  const { element } = field.type
  const [count, list, index] = [source.name(), source.name(), source.name()]
  source.add(`const ${count} = r.count(${lengthPrefix(source, 'int32')}, ${bytesMin(element, source)})`)
  if (!source.isNullable(field)) refuseNull(source, count, name)
  source.add(`const ${list} = ${count} < 0 ? null : []`)
  source.add(`for (let ${index} = 0; ${index} < ${count}; ${index}++) {`)
  source.add(`${list}.push(${readField(source, element, name)})`)
  source.add('}')
  return list
}

function readNested(source: Source, field: AnyField): string {
  if (field.type.kind !== 'struct') throw new TypeError('not a struct')
  if (!source.isNullable(field)) return readStruct(source, field.type.shape)
  const nested = source.name()
  source.add(`let ${nested} = null`)
  source.add('if (r.int8() >= 0) {')
  source.add(`${nested} = ${readStruct(source, field.type.shape)}`)
  source.add('}')
  return nested
}

function compileWrite<S extends Shape>(message: Message<S>, version: number): (writer: Writer, value: GivenOf<S>) => void {
  const source = new Source(version, version >= message.flexible)
  writeStruct(source, message.shape, 'w', 'value')
  const body = `'use strict'; return function write${message.name}${version}(w, value) {\n${source.lines.join('\n')}\n}`
  const make = new Function('Writer', 'lengthOf', 'EMPTY', body)
  return make(Writer, lengthOf, Buffer.alloc(0)) as (writer: Writer, value: GivenOf<S>) => void
}

function writeStruct(source: Source, shape: Shape, writer: string, value: string): void {
  for (const [name, field] of Object.entries(shape)) {
    if (!source.has(field) || source.isTagged(field)) continue
    const given = source.name()
    source.add(`let ${given} = ${value}.${name}; if (${given} === undefined) ${given} = ${fallbackOf(field)}`)
    writeField(source, field, { writer, value: given, name })
  }
  if (source.flexible) writeTags(source, shape, writer, value)
}

interface Target {
  readonly writer: string
  readonly value: string
  readonly name: string
}

function writeTags(source: Source, shape: Shape, writer: string, value: string): void {
  const tagged = Object.entries(shape).filter(([, field]) => source.isTagged(field))
  tagged.sort(([, one], [, other]) => one.facts.tag! - other.facts.tag!)
  if (tagged.length === 0) {
    source.add(`${writer}.uvarint(0)`)
    return
  }
  const count = source.name()
  const givens = tagged.map(([name, field]) => {
    const [given, present] = [source.name(), source.name()]
    source.add(`const ${given} = ${value}.${name}`)
    source.add(`const ${present} = ${differsFromFallback(field, given)}`)
    return { name, field, given, present }
  })
  source.add(`const ${count} = ${givens.map(({ present }) => `(${present} ? 1 : 0)`).join(' + ')}`)
  source.add(`${writer}.uvarint(${count})`)
  for (const { name, field, given, present } of givens) {
    const inner = source.name()
    source.add(`if (${present}) {`)
    source.add(`const ${inner} = new Writer(64)`)
    writeField(source, field, { writer: inner, value: given, name })
    source.add(`${writer}.uvarint(${field.facts.tag}); ${writer}.uvarint(${inner}.length)`)
    source.add(`for (const piece of ${inner}.finish()) ${writer}.append(piece)`)
    source.add('}')
  }
}

function differsFromFallback(field: AnyField, given: string): string {
  if (field.type.kind === 'array') return `${given} != null && ${given}.length > 0`
  if (field.type.kind === 'primitive' || field.facts.fallback === null) return `${given} !== undefined && ${given} !== ${fallbackOf(field)}`
  const members = Object.entries(field.type.shape).map(([name, member]) => `(${differsFromFallback(member, `${given}.${name}`)})`)
  return `${given} != null && (${members.join(' || ')})`
}

function writeField(source: Source, field: AnyField, target: Target): void {
  const { writer, value } = target
  if (field.type.kind === 'array') return writeArray(source, field, target)
  if (field.type.kind === 'struct') return writeNested(source, field, target)
  const type = field.type.name
  if (type !== 'string' && type !== 'bytes' && type !== 'records') {
    source.add(`${writer}.${type}(${value})`)
    return
  }
  const nullLength = source.flexible ? `${writer}.uvarint(0)` : `${writer}.${type === 'string' ? 'int16' : 'int32'}(-1)`
  if (source.isNullable(field)) source.add(`if (${value} === null) ${nullLength}; else {`)
  else source.add('{')
  if (type === 'string') {
    source.add(`${writer}.${source.flexible ? 'compactString' : 'string'}(${value})`)
  } else {
    const length = source.name()
    source.add(`const ${length} = ${type === 'records' ? `lengthOf(${value})` : `${value}.length`}`)
    source.add(source.flexible ? `${writer}.uvarint(${length} + 1)` : `${writer}.int32(${length})`)
    source.add(`${writer}.${type === 'records' ? 'appendByReference' : 'append'}(${value})`)
  }
  source.add('}')
}

function writeArray(source: Source, field: AnyField, { writer, value, name }: Target): void {
  if (field.type.kind !== 'array') throw new TypeError('not an array')
  const item = source.name()
  if (source.isNullable(field)) {
    source.add(`if (${value} === null) ${source.flexible ? `${writer}.uvarint(0)` : `${writer}.int32(-1)`}; else {`)
  } else source.add('{')
  source.add(source.flexible ? `${writer}.uvarint(${value}.length + 1)` : `${writer}.int32(${value}.length)`)
  source.add(`for (const ${item} of ${value}) {`)
  writeField(source, field.type.element, { writer, value: item, name })
  source.add('}\n}')
}

function writeNested(source: Source, field: AnyField, { writer, value }: Target): void {
  if (field.type.kind !== 'struct') throw new TypeError('not a struct')
  if (!source.isNullable(field)) {
    source.add('{')
    writeStruct(source, field.type.shape, writer, value)
    source.add('}')
    return
  }
  source.add(`if (${value} === null) ${writer}.int8(-1); else {`)
  source.add(`${writer}.int8(1)`)
  writeStruct(source, field.type.shape, writer, value)
  source.add('}')
}

/** The value in `bytes`, which must hold it and nothing more. */
export function decode<S extends Shape>(message: Message<S>, version: number, bytes: Buffer): ReadOf<S> {
  const reader = new Reader(bytes)
  const value = codec(message, version).read(reader)
  if (reader.left > 0) throw new MalformedMessage(`${reader.left} bytes are left behind ${message.name}`)
  return value
}

export function encode<S extends Shape>(message: Message<S>, version: number, value: GivenOf<S>): Buffer {
  const writer = new Writer()
  codec(message, version).write(writer, value)
  return Buffer.concat(writer.finish())
}
