// Snappy (google/snappy, format_description.txt), and the framing that Java's library puts around it: a magic of eight
// bytes, two versions of four, then blocks behind their lengths. Every length is held against what is left and against
// the bound before anything is written (CVE-2023-34455 was a length that was believed).

import { MalformedMessage } from '../reader.ts'

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeaderBytes = 16

/** Throws `MalformedMessage`, also where the content is longer than `bytesMax`. */
export function decompressSnappy(input: Buffer, bytesMax: number): Buffer {
  if (!input.subarray(0, 8).equals(xerialMagic)) return decompressBlock(input, bytesMax)
  const blocks: Buffer[] = []
  let left = bytesMax
  for (let at = xerialHeaderBytes; at < input.length; ) {
    if (at + 4 > input.length) throw new MalformedMessage('snappy: a block without a length')
    const length = input.readInt32BE(at)
    if (length < 0 || at + 4 + length > input.length) throw new MalformedMessage(`snappy: a block of ${length} bytes`)
    const block = decompressBlock(input.subarray(at + 4, at + 4 + length), left)
    blocks.push(block)
    left -= block.length
    at += 4 + length
  }
  return Buffer.concat(blocks)
}

function decompressBlock(input: Buffer, bytesMax: number): Buffer {
  const { value: length, next } = contentLength(input)
  // A copy of three bytes makes at most 64, so no honest block is longer than that.
  if (length > bytesMax || length > input.length * 64) throw new MalformedMessage(`snappy: content of ${length} bytes`)
  const output = Buffer.allocUnsafeSlow(length)
  let written = 0
  for (let at = next; at < input.length; ) {
    const tag = input[at]!
    const element = (tag & 3) === 0 ? literal(input, at) : copy(input, at)
    if (written + element.length > length) throw new MalformedMessage('snappy: more content than announced')
    if (element.distance === 0) {
      input.copy(output, written, element.start, element.start + element.length)
    } else {
      if (element.distance > written) throw new MalformedMessage('snappy: a copy from before the content')
      // Byte by byte where source and target overlap: that is how a run is written.
      if (element.distance >= element.length) {
        output.copyWithin(written, written - element.distance, written - element.distance + element.length)
      }
      else for (let index = 0; index < element.length; index++) output[written + index] = output[written + index - element.distance]!
    }
    written += element.length
    at = element.next
  }
  if (written !== length) throw new MalformedMessage(`snappy: ${written} bytes of content, and ${length} were announced`)
  return output
}

interface Element {
  readonly length: number
  /** 0: a literal. */
  readonly distance: number
  readonly start: number
  readonly next: number
}

function contentLength(input: Buffer): { readonly value: number; readonly next: number } {
  let value = 0
  for (let at = 0; at < 5 && at < input.length; at++) {
    value += (input[at]! & 0x7f) * 2 ** (7 * at)
    if (input[at]! < 0x80) return { value, next: at + 1 }
  }
  throw new MalformedMessage('snappy: no length')
}

function literal(input: Buffer, at: number): Element {
  const code = input[at]! >>> 2
  const extra = code < 60 ? 0 : code - 59
  if (at + 1 + extra > input.length) throw new MalformedMessage('snappy: a literal without a length')
  const length = (extra === 0 ? code : input.readUIntLE(at + 1, extra)) + 1
  const start = at + 1 + extra
  if (start + length > input.length) throw new MalformedMessage('snappy: a literal that is longer than the input')
  return { length, distance: 0, start, next: start + length }
}

function copy(input: Buffer, at: number): Element {
  const tag = input[at]!
  const bytes = ([0, 1, 2, 4] as const)[tag & 3]!
  if (at + 1 + bytes > input.length) throw new MalformedMessage('snappy: a copy without a distance')
  const next = at + 1 + bytes
  const short = (tag & 3) === 1
  const distance = short ? ((tag >>> 5) << 8) | input[at + 1]! : input.readUIntLE(at + 1, bytes)
  if (distance === 0) throw new MalformedMessage('snappy: a copy from nowhere')
  return { length: short ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1, distance, start: 0, next }
}
