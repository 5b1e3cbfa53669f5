import { fallbackOf, Source } from './codec-source.ts'
import type { AnyField, GivenOf, Message, Shape } from './schema.ts'
import { lengthOf, type Writer } from './writer.ts'

/** The function that writes a message at a version. */
export function compileWrite<S extends Shape>(message: Message<S>, version: number): (writer: Writer, value: GivenOf<S>) => void {
  const source = new Source(version, version >= message.flexible)
  writeStruct(source, message.shape, 'w', 'value')
  const body = `'use strict'; return function write${message.name}${version}(w, value) {\n${source.lines.join('\n')}\n}`
  const make = new Function('lengthOf', 'EMPTY', body)
  return make(lengthOf, Buffer.alloc(0)) as (writer: Writer, value: GivenOf<S>) => void
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
    const begun = source.name()
    source.add(`if (${present}) {`)
    source.add(`${writer}.uvarint(${field.facts.tag})`)
    source.add(`const ${begun} = ${writer}.beginTagged()`)
    writeField(source, field, { writer, value: given, name })
    source.add(`${writer}.endTagged(${begun})`)
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
