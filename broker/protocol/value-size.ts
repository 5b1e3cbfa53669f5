// The least that a value takes, on the wire and in memory, so that a decoder knows what an announced array would cost
// before it makes one.

import type { Source } from './codec-source.ts'
import type { AnyField } from './schema.ts'

/** The fewest bytes on the wire. */
export function wireBytesMin(field: AnyField, source: Source): number {
  if (field.type.kind === 'array') return source.flexible ? 1 : 4
  if (field.type.kind === 'struct') {
    if (source.isNullable(field)) return 1
    let sum = source.flexible ? 1 : 0
    for (const member of Object.values(field.type.shape)) {
      if (source.has(member) && !source.isTagged(member)) sum += wireBytesMin(member, source)
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

/** Of a reference in an object or array, and of a number within 32 bits, which V8 keeps in its place. */
const slotBytes = 8

/**
 * About what a value takes in V8's heap beside what is counted elsewhere: an array's elements are counted when they are
 * announced, what strings and buffers hold is on the wire too.
 */
export function heapBytesOf(field: AnyField, source: Source): number {
  if (field.type.kind === 'struct') {
    return Object.values(field.type.shape).reduce((sum, member) => sum + heapBytesOf(member, source), slotBytes + 24)
  }
  // One default is shared by all objects, but every empty array is one of its own.
  if (!source.has(field) || source.isTagged(field)) return slotBytes + (field.type.kind === 'array' ? 32 : 0)
  if (field.type.kind === 'array') return slotBytes + 48
  switch (field.type.name) {
    case 'bool': case 'int8': case 'int16': case 'uint16': case 'int32': return slotBytes
    case 'int64': case 'float64': return slotBytes + 16
    case 'string': return slotBytes + 24
    case 'uuid': return slotBytes + 40
    case 'bytes': case 'records': return slotBytes + 200
  }
}
