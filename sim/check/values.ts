// Values that say who sent them and whether they are whole, so that bytes which are mixed up are seen wherever they end.

import { crc32c } from '../../broker/protocol/crc32c.ts'

/** The name of the value, a checksum over name and filler, the filler. */
export function valueBytes(name: string, fillerBytes: number): Buffer {
  const filler = '.'.repeat(fillerBytes)
  return Buffer.from(`${name} ${checksumOf(name, filler)} ${filler}`)
}

/** The name, or an empty text where the value is not whole. */
export function nameOf(value: Buffer | null): string {
  const [name = '', checksum, filler] = (value?.toString('latin1') ?? '').split(' ')
  return filler !== undefined && checksum === checksumOf(name, filler) ? name : ''
}

function checksumOf(name: string, filler: string): string {
  return crc32c(Buffer.from(`${name}/${filler}`)).toString(16)
}
