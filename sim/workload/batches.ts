import { crc32c } from '../../broker/protocol/crc32c.ts'
import type { SeededRandom } from '../../test/support/seeded-random.ts'
import { type BatchOptions, type GivenRecord, recordBatch } from '../../test/support/record-batches.ts'
import { tombstoneHeader } from '../check/batches.ts'
import type { Keyed } from '../check/history.ts'
import { valueBytes } from '../check/values.ts'

const transactionalBit = 0x10

/** One of `count` keys, which is deleted now and then. */
export function someKey(dice: SeededRandom, count: number): Keyed {
  return { key: `key-${dice.below(count)}`, isTombstone: dice.chance(0.2) }
}

export function recordOf(value: string, fillerBytes: number, keyed?: Keyed): GivenRecord {
  if (keyed === undefined) return { value: valueBytes(value, fillerBytes) }
  const key = Buffer.from(keyed.key)
  return keyed.isTombstone ? { key, value: null, headers: [[tombstoneHeader, valueBytes(value, 0)]] } : { key, value: valueBytes(value, fillerBytes) }
}

export function transactionalBatch(records: readonly GivenRecord[], options: BatchOptions): Buffer {
  const bytes = recordBatch(records, options)
  bytes.writeInt16BE(bytes.readInt16BE(21) | transactionalBit, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}
