import { fallbackOf, Source } from './codec-source.ts'
import { MalformedMessage, type Reader } from './reader.ts'
import type { AnyField, Message, ReadOf, Shape } from './schema.ts'
import { heapBytesOf, wireBytesMin } from './value-size.ts'

/** The function that reads a message at a version. */
export function compileRead<S extends Shape>(message: Message<S>, version: number): (reader: Reader) => ReadOf<S> {
  const source = new Source(version, version >= message.flexible)
  const result = readStruct(source, message.shape)
  const body = `'use strict'; return function read${message.name}${version}(r) {\n${source.lines.join('\n')}\nreturn ${result}\n}`
  const make = new Function('MalformedMessage', 'EMPTY', 'k', body)
  return make(MalformedMessage, Buffer.alloc(0), source.constants) as (reader: Reader) => ReadOf<S>
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
  const least = source.constant({ wireBytes: wireBytesMin(element, source), heapBytes: heapBytesOf(element, source) })
  source.add(`const ${count} = r.count(${lengthPrefix(source, 'int32')}, ${least})`)
  if (!source.isNullable(field)) refuseNull(source, count, name)
  // At its length: an array that grows keeps room for half as many again.
  source.add(`const ${list} = ${count} < 0 ? null : ${count} === 0 ? [] : new Array(${count})`)
  source.add(`for (let ${index} = 0; ${index} < ${count}; ${index}++) {`)
  source.add(`${list}[${index}] = ${readField(source, element, name)}`)
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
