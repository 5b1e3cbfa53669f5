// An LZ4 frame (lz4_Frame_format.md 1.6) of independent blocks of 64 KiB, without checksums beyond the header's: what every
// client of Kafka reads.

import { findMatches } from './match-finder.ts'

/** Magic; version 1 with independent blocks; blocks of up to 64 KiB; the second byte of the XXH32 of those two. */
const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])
const blockBytes = 64 * 1024
/** The format wants the last five bytes of a block as literals, and no run that begins in the last twelve. */
const tailBytes = 8

export function compressLz4(input: Buffer): Buffer {
  const blocks = Math.ceil(input.length / blockBytes)
  // Each block behind its length, at worst as it is; at the end a length of 0.
  const output = Buffer.allocUnsafeSlow(header.length + blocks * 4 + input.length + 4)
  let filled = header.copy(output)
  // A block that does not get smaller is stored.
  const packed = Buffer.allocUnsafeSlow(worstBytes(Math.min(input.length, blockBytes)))
  for (let start = 0; start < input.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, input.length)
    const length = compressBlock(input, { start, end }, packed)
    const isSmaller = length < end - start
    output.writeUInt32LE(isSmaller ? length : (end - start) + 0x8000_0000, filled)
    filled += 4
    filled += isSmaller ? packed.copy(output, filled, 0, length) : input.copy(output, filled, start, end)
  }
  output.writeUInt32LE(0, filled)
  return output.subarray(0, filled + 4)
}

function worstBytes(length: number): number {
  return length + Math.ceil(length / 255) + 16
}

function compressBlock(input: Buffer, block: { readonly start: number; readonly end: number }, output: Buffer): number {
  let filled = 0
  let literalStart = block.start
  const more = (length: number) => {
    let left = length - 15
    for (; left >= 255; left -= 255) output[filled++] = 255
    output[filled++] = left
  }
  const token = (literals: number, copied: number) => {
    output[filled++] = (Math.min(literals, 15) << 4) | Math.min(copied, 15)
    if (literals >= 15) more(literals)
    filled += input.copy(output, filled, literalStart, literalStart + literals)
  }
  findMatches(input, { ...block, tailBytes }, (start, distance, length) => {
    token(start - literalStart, length - 4)
    output[filled++] = distance & 0xff
    output[filled++] = distance >>> 8
    if (length - 4 >= 15) more(length - 4)
    literalStart = start + length
  })
  token(block.end - literalStart, 0)
  return filled
}
