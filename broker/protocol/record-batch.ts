// A record batch (magic 2, KIP-98) as it lies on the wire, on disk and in the object store:
//
//   0          8       12        16      17      21         23              27             35             43
//   | base     | batch | leader  | magic | CRC   | attri-   | last offset   | base           | max          |
//   | offset 8 | len 4 | epoch 4 | 2     | 4     | butes 2  | delta 4       | timestamp 8    | timestamp 8  |
//   43            51        53         57        61
//   | producer id | producer| base     | record  | records, compressed as a whole ...
//   | 8           | epoch 2 | sequence | count 4 |
//
// The CRC32C covers everything from the attributes on: base offset and leader epoch lie before it, so that a broker
// may stamp them without computing one.

import { crc32c } from './crc32c.ts'
import { readInt64 } from './reader.ts'
import { writeInt64 } from './writer.ts'

const at = {
  baseOffset: 0, batchLength: 8, leaderEpoch: 12, magic: 16, crc: 17, attributes: 21, lastOffsetDelta: 23,
  baseTimestamp: 27, maxTimestamp: 35, producerId: 43, producerEpoch: 51, baseSequence: 53, recordCount: 57,
} as const

/** Bytes before the records. */
export const batchHeaderBytes = 61
/** Bytes that the batch length does not count: base offset and the length itself. */
export const batchPrefixBytes = 12

const compressionMask = 0x07
const logAppendTimeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20
const deleteHorizonBit = 0x40

export const compressionNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof compressionNames)[number]

/** A view: reading a field never copies or decompresses. The bytes hold at least a whole header. */
export class RecordBatch {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get baseOffset(): number {
    return readInt64(this.bytes, at.baseOffset)
  }
  /** Inclusive. */
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }
  /** Exclusive: the offset of what follows. */
  get endOffset(): number {
    return this.baseOffset + this.lastOffsetDelta + 1
  }
  /** Of the whole batch in bytes. */
  get length(): number {
    return this.bytes.readInt32BE(at.batchLength) + batchPrefixBytes
  }
  get leaderEpoch(): number {
    return this.bytes.readInt32BE(at.leaderEpoch)
  }
  get magic(): number {
    return this.bytes.readInt8(at.magic)
  }
  get crc(): number {
    return this.bytes.readUInt32BE(at.crc)
  }
  get attributes(): number {
    return this.bytes.readInt16BE(at.attributes)
  }
  get lastOffsetDelta(): number {
    return this.bytes.readInt32BE(at.lastOffsetDelta)
  }
  /** Of the first record, or the delete horizon (KIP-534) where that is set. */
  get baseTimestamp(): number {
    return readInt64(this.bytes, at.baseTimestamp)
  }
  /** Milliseconds since 1970; -1: none. */
  get maxTimestamp(): number {
    return readInt64(this.bytes, at.maxTimestamp)
  }
  /** -1: not idempotent. */
  get producerId(): number {
    return readInt64(this.bytes, at.producerId)
  }
  get producerEpoch(): number {
    return this.bytes.readInt16BE(at.producerEpoch)
  }
  /** -1: none. */
  get baseSequence(): number {
    return this.bytes.readInt32BE(at.baseSequence)
  }
  /** Sequences wrap from 2^31-1 to 0. */
  get lastSequence(): number {
    return this.baseSequence < 0 ? this.baseSequence : nextSequence(this.baseSequence, this.lastOffsetDelta)
  }
  get recordCount(): number {
    return this.bytes.readInt32BE(at.recordCount)
  }
  /** Undefined: a compression that the protocol does not know. */
  get compression(): Compression | undefined {
    return compressionNames[this.attributes & compressionMask]
  }
  get hasLogAppendTime(): boolean {
    return (this.attributes & logAppendTimeBit) !== 0
  }
  get isTransactional(): boolean {
    return (this.attributes & transactionalBit) !== 0
  }
  get isControl(): boolean {
    return (this.attributes & controlBit) !== 0
  }
  get hasDeleteHorizon(): boolean {
    return (this.attributes & deleteHorizonBit) !== 0
  }
  /** The records, as compressed as they are. */
  get payload(): Buffer {
    return this.bytes.subarray(batchHeaderBytes, this.length)
  }

  /** False where the bytes are not those that the producer made a checksum of. */
  isIntact(): boolean {
    return crc32c(this.bytes.subarray(at.attributes, this.length)) === this.crc
  }

  /** Lies before what the checksum covers. */
  stamp(baseOffset: number, leaderEpoch: number): void {
    writeInt64(this.bytes, at.baseOffset, baseOffset)
    this.bytes.writeInt32BE(leaderEpoch, at.leaderEpoch)
  }

  /** For `message.timestamp.type=LogAppendTime`: covered by the checksum, which is made anew. */
  stampAppendTime(timestamp: number): void {
    this.bytes.writeInt16BE(this.attributes | logAppendTimeBit, at.attributes)
    writeInt64(this.bytes, at.maxTimestamp, timestamp)
    this.bytes.writeUInt32BE(crc32c(this.bytes.subarray(at.attributes, this.length)), at.crc)
  }
}

export interface NewBatch {
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly producerId: number
  readonly producerEpoch: number
  /** Of all records. */
  readonly timestamp: number
  readonly recordCount: number
}

/** A batch of this broker's own, not compressed and without sequences, of records that are encoded already. */
export function newBatch(records: Buffer, of: NewBatch): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(batchHeaderBytes), records])
  bytes.writeInt32BE(bytes.length - batchPrefixBytes, at.batchLength)
  bytes.writeInt32BE(-1, at.leaderEpoch)
  bytes.writeInt8(2, at.magic)
  bytes.writeInt16BE((of.isTransactional ? transactionalBit : 0) | (of.isControl ? controlBit : 0), at.attributes)
  bytes.writeInt32BE(of.recordCount - 1, at.lastOffsetDelta)
  writeInt64(bytes, at.baseTimestamp, of.timestamp)
  writeInt64(bytes, at.maxTimestamp, of.timestamp)
  writeInt64(bytes, at.producerId, of.producerId)
  bytes.writeInt16BE(of.producerEpoch, at.producerEpoch)
  bytes.writeInt32BE(-1, at.baseSequence)
  bytes.writeInt32BE(of.recordCount, at.recordCount)
  bytes.writeUInt32BE(crc32c(bytes.subarray(at.attributes)), at.crc)
  return bytes
}

/**
 * For compaction: what is new in the header of a batch that lost records, which lies in `bytes` with all that follows it. Length and
 * checksum are made anew. `deleteHorizon` (KIP-534) takes the place of the base timestamp. `isEmptied`: no records are left.
 */
export function rewriteHeader(bytes: Buffer, header: {
  readonly recordCount: number
  readonly maxTimestamp: number
  readonly deleteHorizon?: number
  readonly isEmptied?: boolean
}): void {
  bytes.writeInt32BE(bytes.length - batchPrefixBytes, at.batchLength)
  bytes.writeInt32BE(header.recordCount, at.recordCount)
  writeInt64(bytes, at.maxTimestamp, header.maxTimestamp)
  const attributes = bytes.readInt16BE(at.attributes)
  if (header.isEmptied) {
    bytes.writeInt16BE(attributes & ~(compressionMask | deleteHorizonBit), at.attributes)
    writeInt64(bytes, at.baseTimestamp, -1)
  } else if (header.deleteHorizon !== undefined) {
    bytes.writeInt16BE(attributes | deleteHorizonBit, at.attributes)
    writeInt64(bytes, at.baseTimestamp, header.deleteHorizon)
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(at.attributes)), at.crc)
}

/** The sequence `count` records behind `sequence`, which wraps within 31 bits. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 0x8000_0000
}

/** The length of the batch that starts at `position`, or undefined where not even its length is there. */
export function batchLengthAt(bytes: Buffer, position: number): number | undefined {
  if (position + batchPrefixBytes > bytes.length) return undefined
  return bytes.readInt32BE(position + at.batchLength) + batchPrefixBytes
}

/** Views on the batches that lie whole in `bytes`; stops before a torn or impossible one. */
export function* batchesIn(bytes: Buffer, position = 0): Generator<RecordBatch> {
  for (let start = position; ; ) {
    const length = batchLengthAt(bytes, start)
    if (length === undefined || length < batchHeaderBytes || start + length > bytes.length) return
    yield new RecordBatch(bytes.subarray(start, start + length))
    start += length
  }
}
