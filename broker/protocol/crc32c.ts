import { crc32c as native } from '@node-rs/crc32'

/**
 * CRC32C (Castagnoli, RFC 3720), as record batches carry it; `initial` continues one over bytes that follow.
 * Below about 200 bytes the crossing into native code costs more than a table in JavaScript does.
 */
export function crc32c(bytes: Uint8Array, initial = 0): number {
  if (bytes.length >= 200) return native(bytes, initial)
  let crc = ~initial
  for (let index = 0; index < bytes.length; index++) crc = table[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  return crc
})
