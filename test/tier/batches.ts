import { crc32c } from '../../broker/protocol/crc32c.ts'
import { writeInt64 } from '../../broker/protocol/writer.ts'

export interface BatchShape {
  readonly baseOffset: number
  /** Of each record; as many records as there are timestamps. */
  readonly timestamps: readonly number[]
  /** Offsets that the batch spans, where compaction took some of its records. */
  readonly span?: number
  readonly valueBytes?: number
  readonly isControl?: boolean
  /** It says that it is compressed with gzip, and is not. */
  readonly isUnreadable?: boolean
  readonly leaderEpoch?: number
}

/** A record batch with the given timestamps and values that follow from the offsets. */
export function batch(shape: BatchShape): Buffer {
  const { baseOffset, timestamps, valueBytes = 10 } = shape
  const base = timestamps[0] ?? -1
  const records = timestamps.map((timestamp, index) => {
    return record(index, timestamp - base, Buffer.alloc(valueBytes, (baseOffset + index) % 251))
  })
  const bytes = Buffer.concat([Buffer.alloc(61), ...records])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(shape.leaderEpoch ?? 0, 12)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE((shape.isControl ? 0x20 : 0) | (shape.isUnreadable ? 1 : 0), 21)
  bytes.writeInt32BE((shape.span ?? timestamps.length) - 1, 23)
  writeInt64(bytes, 27, base)
  writeInt64(bytes, 35, timestamps.length === 0 ? -1 : Math.max(...timestamps))
  writeInt64(bytes, 43, -1)
  bytes.writeInt16BE(-1, 51)
  bytes.writeInt32BE(-1, 53)
  bytes.writeInt32BE(timestamps.length, 57)
  writeInt64(bytes, 0, baseOffset)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

function record(offsetDelta: number, timestampDelta: number, value: Buffer): Buffer {
  const head = [Buffer.of(0), varint(timestampDelta), varint(offsetDelta), varint(-1)]
  const body = Buffer.concat([...head, varint(value.length), value, varint(0)])
  return Buffer.concat([varint(body.length), body])
}

function varint(value: number): Buffer {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  const bytes: number[] = []
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}
