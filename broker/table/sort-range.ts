import { checkKeyPart, partitionBytesMax, sortBytesMax } from './encoded-write.ts'
import { type Range, TableError } from './table.ts'

/** What a `Range` asks for, with prefixes turned into bounds: sort keys in [start, end), compared as UTF-8. */
export interface SortRange {
  readonly start: string | undefined
  readonly end: string | undefined
  readonly reverse: boolean
  /** `Infinity` for all of them. */
  readonly limit: number
}

/** The end of a prefix can be longer by a byte or two than the prefix, and has to be a sort key itself. */
const prefixBytesMax = sortBytesMax - 4

/** Undefined where nothing can be in the range. Throws `TableError` with code `invalid`. */
export function sortRange(partition: string, range: Range = {}): SortRange | undefined {
  checkKeyPart('partition', partition, partitionBytesMax)
  const { start, end, prefix, reverse = false, limit = Infinity } = range
  if (prefix !== undefined && (start !== undefined || end !== undefined)) {
    throw new TableError('invalid', 'a range has a prefix, or a start and an end, not both')
  }
  if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) throw new TableError('invalid', `a limit of ${limit}`)
  if (start) checkKeyPart('start', start, sortBytesMax)
  if (end) checkKeyPart('end', end, sortBytesMax)
  if (prefix) checkKeyPart('prefix', prefix, prefixBytesMax)
  // No sort key is empty, so an empty start and prefix bound nothing, and nothing lies before an empty end.
  if (limit === 0 || end === '') return undefined
  const bounds = prefix === undefined ? { start, end } : { start: prefix, end: prefixEnd(prefix) }
  if (bounds.start !== undefined && bounds.end !== undefined && compareSortKeys(bounds.start, bounds.end) >= 0) return undefined
  return { start: bounds.start || undefined, end: bounds.end, reverse, limit }
}

/** As DynamoDB and SQLite compare: JavaScript's own order differs where one key has characters above U+FFFF. */
export function compareSortKeys(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

const codePointMax = 0x10_ffff

/**
 * The least key above all keys that begin with `prefix`: its last character raised by one. The order of UTF-8 is
 * the order of code points. Undefined where there is none.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  while (points.at(-1) === codePointMax) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // U+D800 to U+DFFF are halves of pairs, not characters.
  points.push(last === 0xd7ff ? 0xe000 : last + 1)
  return String.fromCodePoint(...points)
}
