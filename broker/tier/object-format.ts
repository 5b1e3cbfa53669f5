// An object of the tier is one segment: its batches exactly as on the wire, then what is needed to read them without
// the broker that wrote it. Nothing else is: the manifests can be made anew from the bucket alone.
//
//   0                 batchesBytes                                          bytes - footer                bytes
//   | record batches  | offsets | times | aborted | checksums | epochs | producers | footer               |
//
// The footer, read from the end of the object (big-endian; kinds count from 1 in the order above):
//
//   0           16          20       28      36       40           44       48       56        64
//   | topic id 16 | partition | base   | end   | leader | genera-    | batch  | record | batches | max
//   |             | 4         | off. 8 | off 8 | epoch 4| tion 4     | count 4| count 8| bytes 8 | timestamp 8
//   72          80          84         88
//   | sealed at 8 | batches   | sections | kind 2 | position 8 | length 8 | CRC32C 4 |  and so for each section
//   |             | CRC32C 4  | 4        |
//   then the tail: | CRC32C of the footer up to here 4 | its length up to here 4 | format version 2 |
//                  | oldest version that can read it 2 | "LTSEGMNT" 8 |
//
// A reader refuses what asks for a newer reader than itself, skips sections of a kind that it does not know, and holds
// every position and length against the object before it makes anything of them.

import { crc32c } from '../protocol/crc32c.ts'
import { readInt64 } from '../protocol/reader.ts'
import { writeInt64 } from '../protocol/writer.ts'
import type { Uuid } from '../runtime/random.ts'
import { type SectionKind, sectionKinds } from './object-sections.ts'
import { TierError } from './tier-error.ts'

export const formatVersion = 1
const magic = Buffer.from('LTSEGMNT', 'latin1')
const fixedBytes = 88
const entryBytes = 22
const tailBytes = 20
const sectionsMax = 64

/** What is read from the end of an object to be sure of the whole footer, in bytes. */
export const footerBytesMax = fixedBytes + sectionsMax * entryBytes + tailBytes

export interface Section {
  readonly kind: SectionKind
  readonly position: number
  readonly length: number
  readonly crc32c: number
}

export interface ObjectFooter {
  readonly topicId: Uuid
  readonly partition: number
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** Of the leader that uploaded it. */
  readonly epoch: number
  readonly generation: number
  readonly batchCount: number
  readonly recordCount: number
  /** Where the batches end. */
  readonly batchesBytes: number
  /** Of the batches alone. */
  readonly batchesCrc32c: number
  /** The largest of any batch that is not a control batch, milliseconds since 1970; -1: none has one. */
  readonly maxTimestamp: number
  /** Wall clock of the seal: the age of a segment without timestamps. */
  readonly sealedAt: number
  readonly sections: readonly Section[]
}

/** Everything behind the batches, and where its sections lie in the object. */
export function encodeTrailer(
  head: Omit<ObjectFooter, 'sections'>,
  content: Readonly<Record<SectionKind, Buffer>>,
): { readonly bytes: Buffer; readonly sections: Section[] } {
  let position = head.batchesBytes
  const sections = sectionKinds.map((kind): Section => {
    const bytes = content[kind]
    const section = { kind, position, length: bytes.length, crc32c: crc32c(bytes) }
    position += bytes.length
    return section
  })
  const footer = encodeFooter({ ...head, sections })
  return { bytes: Buffer.concat([...sectionKinds.map((kind) => content[kind]), footer]), sections }
}

export function encodeFooter(footer: ObjectFooter): Buffer {
  const length = fixedBytes + footer.sections.length * entryBytes
  const bytes = Buffer.alloc(length + tailBytes)
  Buffer.from(footer.topicId, 'base64url').copy(bytes, 0, 0, 16)
  bytes.writeInt32BE(footer.partition, 16)
  writeInt64(bytes, 20, footer.baseOffset)
  writeInt64(bytes, 28, footer.endOffset)
  bytes.writeInt32BE(footer.epoch, 36)
  bytes.writeInt32BE(footer.generation, 40)
  bytes.writeUInt32BE(footer.batchCount, 44)
  writeInt64(bytes, 48, footer.recordCount)
  writeInt64(bytes, 56, footer.batchesBytes)
  writeInt64(bytes, 64, footer.maxTimestamp)
  writeInt64(bytes, 72, footer.sealedAt)
  bytes.writeUInt32BE(footer.batchesCrc32c, 80)
  bytes.writeUInt32BE(footer.sections.length, 84)
  footer.sections.forEach((section, index) => {
    const at = fixedBytes + index * entryBytes
    bytes.writeUInt16BE(sectionKinds.indexOf(section.kind) + 1, at)
    writeInt64(bytes, at + 2, section.position)
    writeInt64(bytes, at + 10, section.length)
    bytes.writeUInt32BE(section.crc32c, at + 18)
  })
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, length)), length)
  bytes.writeUInt32BE(length, length + 4)
  bytes.writeUInt16BE(formatVersion, length + 8)
  bytes.writeUInt16BE(formatVersion, length + 10)
  magic.copy(bytes, length + 12)
  return bytes
}

/**
 * The footer of an object of `objectBytes` bytes, from its last `footerBytesMax` bytes, or all where it has fewer.
 * Throws `TierError` with code `damaged` for anything that `encodeFooter` cannot have made.
 */
export function decodeFooter(end: Buffer, objectBytes: number): ObjectFooter {
  const tail = end.length - tailBytes
  if (tail < fixedBytes || !end.subarray(tail + 12).equals(magic)) throw damaged('it does not end as an object of the tier does')
  const readerVersion = end.readUInt16BE(tail + 10)
  if (readerVersion > formatVersion) throw damaged(`it needs a reader of version ${readerVersion}, this is ${formatVersion}`)
  const length = end.readUInt32BE(tail + 4)
  if (length < fixedBytes || length > tail) throw damaged(`a footer of ${length} bytes with ${tail} there`)
  const bytes = end.subarray(tail - length, tail)
  if (crc32c(bytes) !== end.readUInt32BE(tail)) throw damaged('the footer\'s checksum does not match')
  let footer: ObjectFooter
  try {
    footer = readFields(bytes)
  } catch (cause) {
    throw cause instanceof TierError ? cause : damaged('a number is out of range', cause)
  }
  checkFooter(footer, objectBytes - length - tailBytes)
  return footer
}

function readFields(bytes: Buffer): ObjectFooter {
  const count = bytes.readUInt32BE(84)
  const isWhole = count <= sectionsMax && fixedBytes + count * entryBytes === bytes.length
  if (!isWhole) throw damaged(`${count} sections in ${bytes.length} bytes`)
  const sections: Section[] = []
  for (let at = fixedBytes; at < bytes.length; at += entryBytes) {
    const kind = sectionKinds[bytes.readUInt16BE(at) - 1]
    if (kind === undefined) continue
    sections.push({ kind, position: int64(bytes, at + 2), length: int64(bytes, at + 10), crc32c: bytes.readUInt32BE(at + 18) })
  }
  return {
    topicId: bytes.toString('base64url', 0, 16), partition: bytes.readInt32BE(16),
    baseOffset: int64(bytes, 20), endOffset: int64(bytes, 28),
    epoch: bytes.readInt32BE(36), generation: bytes.readInt32BE(40),
    batchCount: bytes.readUInt32BE(44), recordCount: int64(bytes, 48),
    batchesBytes: int64(bytes, 56), batchesCrc32c: bytes.readUInt32BE(80),
    maxTimestamp: int64(bytes, 64), sealedAt: int64(bytes, 72), sections,
  }
}

/** `sectionsEnd` is where the footer begins. */
function checkFooter(footer: ObjectFooter, sectionsEnd: number): void {
  const { baseOffset, endOffset, batchesBytes, batchCount, recordCount, sections } = footer
  if (footer.partition < 0 || footer.epoch < 0 || footer.generation < 0) throw damaged('a partition, epoch or generation below 0')
  if (baseOffset < 0 || endOffset <= baseOffset) throw damaged(`no range of offsets: [${baseOffset}, ${endOffset})`)
  if (batchesBytes <= 0 || batchesBytes > sectionsEnd) throw damaged(`${batchesBytes} bytes of batches in ${sectionsEnd}`)
  if (batchCount === 0 || recordCount < 0) throw damaged('it counts no batches')
  if (footer.maxTimestamp < -1 || footer.sealedAt < 0) throw damaged('a time before all times')
  const kinds = sections.map(({ kind }) => kind)
  const isComplete = kinds.length === sectionKinds.length && new Set(kinds).size === kinds.length
  if (!isComplete) throw damaged('a section is missing or double')
  let position = batchesBytes
  for (const section of sections) {
    if (section.position < position || section.length < 0 || section.position + section.length > sectionsEnd) {
      throw damaged(`section ${section.kind} at ${section.position} with ${section.length} bytes is out of place`)
    }
    position = section.position + section.length
  }
}

/** The section's own bytes, cut from `bytes`, which begin at `position` of the object; checked against its checksum. */
export function sectionIn(bytes: Buffer, position: number, section: Section): Buffer {
  const start = section.position - position
  const end = start + section.length
  if (start < 0 || end > bytes.length) throw damaged(`section ${section.kind} is not whole`)
  const own = bytes.subarray(start, end)
  if (crc32c(own) !== section.crc32c) throw damaged(`section ${section.kind} does not match its checksum`)
  return own
}

function int64(bytes: Buffer, at: number): number {
  const value = readInt64(bytes, at)
  if (!Number.isSafeInteger(value)) throw damaged('an int64 is beyond 2^53')
  return value
}

function damaged(what: string, cause?: unknown): TierError {
  return new TierError('damaged', `object: ${what}`, cause)
}
