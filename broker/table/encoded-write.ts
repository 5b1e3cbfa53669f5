import { commitBytesMax, commitWritesMax, type Expectation, itemBytesMax, type Key, TableError, type Write } from './table.ts'

/**
 * A write that was checked against the limits, its value turned into text once. Every implementation takes its
 * writes through here, so that what works on a laptop works on DynamoDB.
 */
export type EncodedWrite =
  | { readonly kind: 'put'; readonly key: Key; readonly expect: Expectation; readonly text: string }
  | { readonly kind: 'delete'; readonly key: Key; readonly expect: Expectation }
  | { readonly kind: 'check'; readonly key: Key; readonly expect: number | 'absent' }

/** DynamoDB's limits for keys, in bytes of UTF-8; neither may be empty. */
export const partitionBytesMax = 2048
export const sortBytesMax = 1024

/** Throws `TableError` with code `invalid` where a write, or all of them together, break a limit. */
export function encodeWrites(writes: readonly Write[]): EncodedWrite[] {
  if (writes.length > commitWritesMax) {
    throw invalid(`${writes.length} writes in a commit, at most ${commitWritesMax} are allowed`)
  }
  const seen = new Set<string>()
  let bytes = 0
  const encoded = writes.map((write) => {
    checkKey(write.key)
    const name = JSON.stringify([write.key.partition, write.key.sort])
    if (seen.has(name)) throw invalid(`two writes to one item in one commit: ${name}`)
    seen.add(name)
    checkExpectation(write)
    const made = encode(write)
    bytes += Buffer.byteLength(name) + (made.kind === 'put' ? Buffer.byteLength(made.text) : 0)
    return made
  })
  if (bytes > commitBytesMax) throw invalid(`a commit of ${bytes} bytes, at most ${commitBytesMax} are allowed`)
  return encoded
}

export function checkKey({ partition, sort }: Key): void {
  checkKeyPart('partition', partition, partitionBytesMax)
  checkKeyPart('sort key', sort, sortBytesMax)
}

/** A half of a surrogate pair has no UTF-8 form: two such keys would become one. */
export function checkKeyPart(name: string, text: string, bytesMax: number): void {
  if (text === '') throw invalid(`the ${name} is empty`)
  if (!text.isWellFormed()) throw invalid(`the ${name} ${JSON.stringify(text)} is not well-formed Unicode`)
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) throw invalid(`the ${name} has ${bytes} bytes, at most ${bytesMax} are allowed`)
}

function checkExpectation({ kind, expect }: Write): void {
  if (typeof expect === 'number' && !(Number.isSafeInteger(expect) && expect >= 1)) throw invalid(`no item has version ${expect}`)
  if (kind === 'delete' && expect === 'absent') throw invalid('a delete of what should be absent is a check')
  if (kind === 'check' && (expect as Expectation) === 'any') throw invalid('a check that anything passes')
}

function encode(write: Write): EncodedWrite {
  if (write.kind !== 'put') return write
  const text = JSON.stringify(write.value)
  if (text === undefined) throw invalid('the value is not JSON')
  const bytes = Buffer.byteLength(text)
  if (bytes > itemBytesMax) throw invalid(`a value of ${bytes} bytes, at most ${itemBytesMax} are allowed`)
  return { kind: 'put', key: write.key, expect: write.expect, text }
}

/** About what they weigh while they wait. */
export function bytesOf(writes: readonly EncodedWrite[]): number {
  return writes.reduce((sum, write) => sum + (write.kind === 'put' ? write.text.length : 0), 0)
}

function invalid(message: string): TableError {
  return new TableError('invalid', message)
}
