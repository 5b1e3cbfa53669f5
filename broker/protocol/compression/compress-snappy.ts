// Snappy (google/snappy, format_description.txt) in the framing of Java's library: blocks of 32 KiB behind their lengths.

import { findMatches } from './match-finder.ts'

/** Magic, and the versions of the framing and of what reads it. */
const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1])
const blockBytes = 32 * 1024

export function compressSnappy(input: Buffer): Buffer {
  const blocks = Math.ceil(input.length / blockBytes)
  const output = Buffer.allocUnsafeSlow(header.length + blocks * (4 + worstBytes(Math.min(input.length, blockBytes))))
  let filled = header.copy(output)
  for (let start = 0; start < input.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, input.length)
    const length = compressBlock(input, { start, end }, output.subarray(filled + 4))
    output.writeInt32BE(length, filled)
    filled += 4 + length
  }
  return output.subarray(0, filled)
}

/** The length, and literals with at most three bytes in front of each copy. */
function worstBytes(length: number): number {
  return 32 + length + Math.ceil(length / 6)
}

function compressBlock(input: Buffer, block: { readonly start: number; readonly end: number }, output: Buffer): number {
  let filled = 0
  for (let left = block.end - block.start; ; left >>>= 7) {
    output[filled++] = left < 128 ? left : (left & 0x7f) | 0x80
    if (left < 128) break
  }
  let literalStart = block.start
  const literal = (end: number) => {
    const length = end - literalStart
    if (length === 0) return
    // Of a block of 32 KiB two bytes hold every length.
    if (length <= 60) output[filled++] = (length - 1) << 2
    else if (length <= 256) filled = output.writeUInt8(length - 1, output.writeUInt8(60 << 2, filled))
    else filled = output.writeUInt16LE(length - 1, output.writeUInt8(61 << 2, filled))
    filled += input.copy(output, filled, literalStart, end)
  }
  findMatches(input, { ...block, tailBytes: 0 }, (start, distance, length) => {
    literal(start)
    // With two bytes of distance, of 1 to 64 bytes each.
    for (let left = length; left > 0; left -= 64) {
      output[filled++] = ((Math.min(left, 64) - 1) << 2) | 2
      output[filled++] = distance & 0xff
      output[filled++] = distance >>> 8
    }
    literalStart = start + length
  })
  literal(block.end)
  return filled
}
