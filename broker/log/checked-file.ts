// Small files that must not be believed when they are damaged: a line of JSON behind a line with its CRC32C. Missing and
// damaged are different answers, because only the first can be an empty beginning.

import { crc32c } from '../protocol/crc32c.ts'
import type { Disk } from '../runtime/disk.ts'

export type CheckedRead<T> = { readonly state: 'missing' } | { readonly state: 'damaged' } | { readonly state: 'read'; readonly value: T }

export function encodeChecked(value: unknown): Buffer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  return Buffer.concat([Buffer.from(`${crc32c(body).toString(16).padStart(8, '0')}\n`), body])
}

/** Undefined: damaged. */
export function decodeChecked<T>(bytes: Buffer): { readonly value: T } | undefined {
  const body = bytes.subarray(9)
  if (bytes.length < 10 || bytes[8] !== 0x0a || bytes.toString('latin1', 0, 8) !== crc32c(body).toString(16).padStart(8, '0')) {
    return undefined
  }
  try {
    return { value: JSON.parse(body.toString()) as T }
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
