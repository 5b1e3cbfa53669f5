// LZ4 frames (lz4_Frame_format.md 1.6), as Kafka's clients write them: one frame of independent or linked blocks. The
// checksums inside are not looked at, for the batch's own covers the frame; every length and distance is.

import { MalformedMessage } from '../reader.ts'

const frameMagic = 0x184d2204
const uncompressedBit = 0x8000_0000

/** Throws `MalformedMessage`, also where the content is longer than `bytesMax`. */
export function decompressLz4(input: Buffer, bytesMax: number): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== frameMagic) throw new MalformedMessage('lz4: no frame')
  const flags = input[4]!
  if (flags >>> 6 !== 1) throw new MalformedMessage('lz4: an unknown version')
  const hasBlockChecksum = (flags & 0x10) !== 0
  const hasContentSize = (flags & 0x08) !== 0
  const hasDictionary = (flags & 0x01) !== 0
  if (hasDictionary) throw new MalformedMessage('lz4: a dictionary, which nobody has')
  const content = new Content(bytesMax)
  for (let at = 7 + (hasContentSize ? 8 : 0); ; ) {
    if (at + 4 > input.length) throw new MalformedMessage('lz4: a frame without an end')
    const word = input.readUInt32LE(at)
    if (word === 0) return content.take()
    const length = word % uncompressedBit
    const start = at + 4
    if (start + length > input.length) throw new MalformedMessage(`lz4: a block of ${length} bytes`)
    const block = input.subarray(start, start + length)
    if (word >= uncompressedBit) content.literal(block)
    else decompressBlock(block, content)
    at = start + length + (hasBlockChecksum ? 4 : 0)
  }
}

/** What was decompressed so far; grows as it is filled, never beyond the bound. */
class Content {
  readonly #bytesMax: number
  #bytes = Buffer.allocUnsafeSlow(4096)
  #length = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  #room(length: number): void {
    const needed = this.#length + length
    if (needed > this.#bytesMax) throw new MalformedMessage(`lz4: content of more than ${this.#bytesMax} bytes`)
    if (needed <= this.#bytes.length) return
    const bigger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.#bytes.length * 2), this.#bytesMax))
    this.#bytes.copy(bigger, 0, 0, this.#length)
    this.#bytes = bigger
  }

  literal(bytes: Buffer): void {
    this.#room(bytes.length)
    bytes.copy(this.#bytes, this.#length)
    this.#length += bytes.length
  }

  copy(distance: number, length: number): void {
    if (distance === 0 || distance > this.#length) throw new MalformedMessage('lz4: a copy from before the content')
    this.#room(length)
    const bytes = this.#bytes
    const at = this.#length
    // Byte by byte where source and target overlap: that is how a run is written.
    if (distance >= length) bytes.copyWithin(at, at - distance, at - distance + length)
    else for (let index = 0; index < length; index++) bytes[at + index] = bytes[at + index - distance]!
    this.#length = at + length
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}

function decompressBlock(block: Buffer, content: Content): void {
  let at = 0
  const more = (base: number): number => {
    let length = base
    if (base !== 15) return length
    for (;;) {
      const byte = block[at++]
      if (byte === undefined) throw new MalformedMessage('lz4: a length without an end')
      length += byte
      if (byte !== 255) return length
    }
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >>> 4)
    if (at + literals > block.length) throw new MalformedMessage('lz4: a literal that is longer than the block')
    content.literal(block.subarray(at, at + literals))
    at += literals
    // The last sequence of a block is literals alone.
    if (at === block.length) return
    if (at + 2 > block.length) throw new MalformedMessage('lz4: a copy without a distance')
    const distance = block.readUInt16LE(at)
    at += 2
    content.copy(distance, more(token & 15) + 4)
  }
}
