// A value that can tell whether it is whole: its name, which is unique, a checksum, and filler that differs from value to
// value, so that bytes of another record, topic or segment are seen for what they are.

import { crc32c } from '../../broker/protocol/crc32c.ts'

const checksum = (name: string, filler: string) => crc32c(Buffer.from(`${name} ${filler}`)).toString(16).padStart(8, '0')

export function valueBytes(name: string, fillerBytes: number): Buffer {
  const filler = `${name}.`.repeat(Math.ceil(fillerBytes / (name.length + 1))).slice(0, fillerBytes)
  return Buffer.from(`${name} ${checksum(name, filler)} ${filler}`)
}

export function parseValue(bytes: Buffer): { readonly value: string; readonly isDamaged: boolean } {
  const [value = '', sum, filler = ''] = bytes.toString().split(' ')
  return { value, isDamaged: sum !== checksum(value, filler) }
}
