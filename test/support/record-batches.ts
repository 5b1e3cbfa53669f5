// Makes and opens record batches (magic 2) with every compression, for clients of ours and for what they read. The
// broker never opens a batch on its way, so this is independent of it.

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { type Compression, compressionNames, RecordBatch } from '../../broker/protocol/record-batch.ts'
import { writeInt64 } from '../../broker/protocol/writer.ts'

export interface GivenRecord {
  readonly key?: Buffer | null
  readonly value: Buffer | null
  readonly timestamp?: number
  readonly headers?: readonly (readonly [string, Buffer | null])[]
}

export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [string, Buffer | null])[]
}

export interface BatchOptions {
  readonly compression?: Compression
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  /** Where records have none of their own; milliseconds since 1970. */
  readonly timestamp?: number
}

export const codecs: ReadonlyMap<
  Compression,
  { readonly pack: (bytes: Buffer) => Buffer; readonly unpack: (bytes: Buffer) => Buffer }
> = new Map([
  ['none', { pack: (bytes: Buffer) => bytes, unpack: (bytes: Buffer) => bytes }],
  ['gzip', { pack: gzipSync, unpack: gunzipSync }],
  ['zstd', { pack: zstdCompressSync, unpack: zstdDecompressSync }],
])

export function recordBatch(records: readonly GivenRecord[], options: BatchOptions = {}): Buffer {
  const { compression = 'none', producerId = -1, producerEpoch = -1, baseSequence = -1, timestamp = Date.now() } = options
  const times = records.map((record) => record.timestamp ?? timestamp)
  const base = times[0] ?? timestamp
  const payload = Buffer.concat(
    records.map((record, index) => encodeRecord(record, { offsetDelta: index, timestampDelta: times[index]! - base })),
  )
  const codec = codecs.get(compression)
  if (codec === undefined) throw new TypeError(`these batches are not made with ${compression}`)
  const bytes = Buffer.concat([Buffer.alloc(61), codec.pack(payload)])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(-1, 12)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE(compressionNames.indexOf(compression), 21)
  bytes.writeInt32BE(records.length - 1, 23)
  writeInt64(bytes, 27, base)
  writeInt64(bytes, 35, Math.max(...times))
  writeInt64(bytes, 43, producerId)
  bytes.writeInt16BE(producerEpoch, 51)
  bytes.writeInt32BE(baseSequence, 53)
  bytes.writeInt32BE(records.length, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

/** Throws where a checksum does not hold. Control batches have no records for anybody. */
export function recordsIn(batch: RecordBatch): ReadRecord[] {
  if (!batch.isIntact()) throw new Error(`the checksum of the batch at ${batch.baseOffset} does not hold`)
  if (batch.isControl) return []
  const codec = codecs.get(batch.compression ?? 'none')
  if (codec === undefined) throw new TypeError(`these batches are not opened with ${batch.compression}`)
  const cursor = new Cursor(codec.unpack(batch.payload))
  return Array.from({ length: batch.recordCount }, () => decodeRecord(cursor, batch))
}

function encodeRecord(record: GivenRecord, at: { offsetDelta: number; timestampDelta: number }): Buffer {
  const { key = null, value, headers = [] } = record
  const body = Buffer.concat([
    Buffer.of(0),
    varint(at.timestampDelta),
    varint(at.offsetDelta),
    lengthAndBytes(key),
    lengthAndBytes(value),
    varint(headers.length),
    ...headers.flatMap(([name, header]) => [lengthAndBytes(Buffer.from(name)), lengthAndBytes(header)]),
  ])
  return Buffer.concat([varint(body.length), body])
}

function lengthAndBytes(bytes: Buffer | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  const bytes: number[] = []
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}

class Cursor {
  readonly bytes: Buffer
  position = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes.readUInt8(this.position++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  nullableBytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    this.position += length
    return this.bytes.subarray(this.position - length, this.position)
  }
}

function decodeRecord(cursor: Cursor, batch: RecordBatch): ReadRecord {
  const end = cursor.varint() + cursor.position
  cursor.position++
  const timestamp = batch.baseTimestamp + cursor.varint()
  const offset = batch.baseOffset + cursor.varint()
  const [key, value] = [cursor.nullableBytes(), cursor.nullableBytes()]
  const headers = Array.from(
    { length: cursor.varint() },
    () => [cursor.nullableBytes()!.toString(), cursor.nullableBytes()] as const,
  )
  if (cursor.position !== end) throw new Error(`the record at ${offset} is not as long as it says`)
  return { offset, timestamp, key, value, headers }
}
