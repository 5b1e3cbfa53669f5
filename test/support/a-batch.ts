// Record batches with everything about them open to a test: whatever is not said is what an ordinary producer sends.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressSync as snappySync } from 'snappy'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { type Compression, compressionNames } from '../../broker/protocol/record-batch.ts'
import { writeInt64 } from '../../broker/protocol/writer.ts'

export interface BatchShape {
  /** As many records as there are timestamps, where those are given. */
  readonly records?: number
  /** Bytes of each value. */
  readonly valueBytes?: number
  /** What values are made of; batches with different fills differ. */
  readonly fill?: number
  readonly hasKeys?: boolean
  /** Of each record. */
  readonly timestamps?: readonly number[]
  readonly timestamp?: number
  readonly compression?: Exclude<Compression, 'lz4'>
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly hasLogAppendTime?: boolean
  readonly baseOffset?: number
  readonly leaderEpoch?: number
  /** Fields as they are not in an ordinary batch; the checksum is made over them. */
  readonly fields?: { readonly magic?: number; readonly attributes?: number; readonly lastOffsetDelta?: number; readonly recordCount?: number
    readonly maxTimestamp?: number }
}

/** What most tests take as now. */
export const aMoment = 1_700_000_000_000

export function aBatch(shape: BatchShape = {}): Buffer {
  const { valueBytes = 100, fill = 7, timestamp = aMoment, compression = 'none', hasKeys = false } = shape
  const timestamps = shape.timestamps ?? Array.from({ length: shape.records ?? 1 }, () => timestamp)
  const value = Buffer.alloc(valueBytes, fill)
  const records = timestamps.map((time, index) =>
    record({ offsetDelta: index, timestampDelta: time - timestamps[0]!, key: hasKeys ? Buffer.from(`key-${index}`) : null, value }))
  const packed = pack(compression, Buffer.concat(records))
  return assemble({
    shape, packed, count: timestamps.length, baseTimestamp: timestamps[0] ?? -1,
    maxTimestamp: timestamps.length === 0 ? -1 : Math.max(...timestamps),
    attributes: compressionNames.indexOf(compression) | (shape.hasLogAppendTime ? 0x08 : 0) | (shape.isTransactional ? 0x10 : 0),
  })
}

export interface MarkerShape {
  readonly producerId: number
  readonly producerEpoch?: number
  readonly isCommit: boolean
  readonly coordinatorEpoch?: number
  readonly baseOffset?: number
  readonly leaderEpoch?: number
  readonly timestamp?: number
}

/** The control batch that ends a transaction. */
export function aMarker(shape: MarkerShape): Buffer {
  const key = Buffer.from([0, 0, 0, shape.isCommit ? 1 : 0])
  const value = Buffer.alloc(6)
  value.writeInt32BE(shape.coordinatorEpoch ?? 0, 2)
  const timestamp = shape.timestamp ?? aMoment
  return assemble({
    shape: { ...shape, baseSequence: -1 }, packed: record({ offsetDelta: 0, timestampDelta: 0, key, value }), count: 1,
    baseTimestamp: timestamp, maxTimestamp: timestamp, attributes: 0x30,
  })
}

function assemble(of: {
  readonly shape: Omit<BatchShape, 'records'>
  readonly packed: Buffer
  readonly count: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly attributes: number
}): Buffer {
  const { shape, packed, count } = of
  const { producerId = -1, fields = {} } = shape
  const bytes = Buffer.concat([Buffer.alloc(61), packed])
  writeInt64(bytes, 0, shape.baseOffset ?? 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(shape.leaderEpoch ?? -1, 12)
  bytes.writeInt8(fields.magic ?? 2, 16)
  bytes.writeInt16BE(fields.attributes ?? of.attributes, 21)
  bytes.writeInt32BE(fields.lastOffsetDelta ?? count - 1, 23)
  writeInt64(bytes, 27, of.baseTimestamp)
  writeInt64(bytes, 35, fields.maxTimestamp ?? of.maxTimestamp)
  writeInt64(bytes, 43, producerId)
  bytes.writeInt16BE(shape.producerEpoch ?? (producerId < 0 ? -1 : 0), 51)
  bytes.writeInt32BE(shape.baseSequence ?? (producerId < 0 ? -1 : 0), 53)
  bytes.writeInt32BE(fields.recordCount ?? count, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

function pack(compression: Exclude<Compression, 'lz4'>, payload: Buffer): Buffer {
  switch (compression) {
    case 'none': return payload
    case 'gzip': return gzipSync(payload)
    case 'zstd': return zstdCompressSync(payload)
    case 'snappy': return snappySync(payload)
  }
}

function record(of: { offsetDelta: number; timestampDelta: number; key: Buffer | null; value: Buffer }): Buffer {
  const key = of.key === null ? [varint(-1)] : [varint(of.key.length), of.key]
  const body = Buffer.concat([
    Buffer.of(0), varint(of.timestampDelta), varint(of.offsetDelta), ...key, varint(of.value.length), of.value, varint(0),
  ])
  return Buffer.concat([varint(body.length), body])
}

function varint(value: number): Buffer {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  const bytes: number[] = []
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}
