// Small files that must not be believed when they are damaged: a line of JSON behind a line with its CRC32C. Missing and
// damaged are different answers, because only the first can be an empty beginning.

import { basename, dirname, join } from 'node:path'
import { crc32c } from '../protocol/crc32c.ts'
import type { Disk } from '../runtime/disk.ts'

/** Of a long list: a millisecond's work. */
const itemsAtOnce = 256
/** Of the line with the checksum. */
const headBytes = 9

export type CheckedRead<T> = { readonly state: 'missing' } | { readonly state: 'damaged' } | { readonly state: 'read'; readonly value: T }

export function encodeChecked(value: unknown): Buffer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  return Buffer.concat([headOf(crc32c(body)), body])
}

function headOf(crc: number): Buffer {
  return Buffer.from(`${crc.toString(16).padStart(8, '0')}\n`)
}

/** Whether nothing in the bytes has changed since they were encoded. */
export function isChecked(bytes: Buffer): boolean {
  return bytes.length > headBytes && bytes.subarray(0, headBytes).equals(headOf(crc32c(bytes.subarray(headBytes))))
}

/** Undefined: damaged. */
export function decodeChecked<T>(bytes: Buffer): { readonly value: T } | undefined {
  if (!isChecked(bytes)) return undefined
  try {
    return { value: JSON.parse(bytes.toString('utf8', headBytes)) as T }
  } catch {
    return undefined
  }
}

export async function readChecked<T>(disk: Disk, path: string): Promise<CheckedRead<T>> {
  const bytes = await disk.readFile(path)
  if (bytes === undefined) return { state: 'missing' }
  const decoded = decodeChecked<T>(bytes)
  return decoded === undefined ? { state: 'damaged' } : { state: 'read', value: decoded.value }
}

/** Old or new after a crash, never a mixture. */
export function writeChecked(disk: Disk, path: string, value: unknown): Promise<void> {
  return disk.replaceFile(path, encodeChecked(value))
}

/**
 * As `writeChecked`, of a list that may be long: a piece of it is encoded when the one before is written, so that nobody
 * has to wait for all of it. It must not change meanwhile.
 */
export async function writeCheckedList(
  disk: Disk, path: string, list: { readonly count: number; entries(): Iterable<unknown> },
): Promise<void> {
  if (list.count <= itemsAtOnce) return writeChecked(disk, path, [...list.entries()])
  const temporary = join(dirname(path), `.${basename(path)}.new`)
  const file = await disk.open(temporary, { create: true })
  try {
    await file.truncate(0)
    let crc = 0
    let position = headBytes
    for (const piece of piecesOf(list.entries())) {
      await file.write([piece], position)
      crc = crc32c(piece, crc)
      position += piece.length
    }
    await file.write([headOf(crc)], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
}

/** What `encodeChecked` has behind the checksum. */
function* piecesOf(items: Iterable<unknown>): Generator<Buffer> {
  let text = '['
  let count = 0
  for (const item of items) {
    text += count > 0 ? `,${JSON.stringify(item)}` : JSON.stringify(item)
    if (++count % itemsAtOnce > 0) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(`${text}]\n`)
}
