// A log of updates that can be told from its offsets: which key each of them is of follows from the dice, and the value says
// at which offset it was written. One key in fifty is deleted near the end, and never written again.

import { crc32c } from '../../broker/protocol/crc32c.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { writeInt64 } from '../../broker/protocol/writer.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { ErrorAnswer } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { keyCount, recordCount, valueBytes } from './settings.ts'

const recordsPerBatch = 1000
const headerBytes = 61
const keyBytes = 12
const deletedEvery = 50

export class Updates {
  /** Of each offset. */
  readonly keys = new Uint32Array(recordCount)
  /** Of each key; -1: it was never written. */
  readonly newest = new Int32Array(keyCount).fill(-1)
  /** Offsets in [deletesFrom, deletesEnd) are tombstones. */
  readonly deletesFrom = Math.floor(recordCount * 0.9)
  readonly deletesEnd: number

  constructor(seed = 1) {
    const random = new SeededRandom(seed)
    const deleted = Math.ceil(keyCount / deletedEvery)
    this.deletesEnd = this.deletesFrom + deleted
    for (let offset = 0; offset < recordCount; offset++) {
      const isDelete = offset >= this.deletesFrom && offset < this.deletesEnd
      let key = isDelete ? (offset - this.deletesFrom) * deletedEvery : random.below(keyCount)
      if (offset >= this.deletesEnd && this.isDeleted(key)) key++
      this.keys[offset] = key
      this.newest[key] = offset
    }
  }

  isDeleted(key: number): boolean {
    return key % deletedEvery === 0
  }

  async write(bootstrap: string, topicId: string): Promise<void> {
    const client = await WireClient.connect(bootstrap, 'updates')
    const under: Promise<void>[] = []
    for (let start = 0; start < recordCount; start += recordsPerBatch) {
      under.push(this.#send(client, topicId, start))
      if (under.length >= 8) await under.shift()
    }
    await Promise.all(under)
    client.close()
  }

  async #send(client: WireClient, topicId: string, start: number): Promise<void> {
    const { responses } = await client.call(produceApi, {
      acks: -1, timeoutMs: 60_000,
      topicData: [{ topicId, name: '', partitionData: [{ index: 0, records: [this.#batch(start)] }] }],
    }, { timeoutMs: 120_000 })
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    if (errorCode !== ErrorCode.NONE) throw new ErrorAnswer('produce', errorCode)
    if (baseOffset !== start) throw new Error(`written at ${baseOffset}, and ${start} was due`)
  }

  #batch(start: number): Buffer {
    const count = Math.min(recordsPerBatch, recordCount - start)
    const bytes = Buffer.alloc(headerBytes + count * (valueBytes + keyBytes + 16), 0x2e)
    let at = headerBytes
    for (let index = 0; index < count; index++) at = this.#record(bytes, at, { offset: start + index, index })
    const batch = bytes.subarray(0, at)
    batch.fill(0, 0, headerBytes)
    batch.writeInt32BE(at - 12, 8)
    batch.writeInt8(2, 16)
    batch.writeInt32BE(count - 1, 23)
    const now = Date.now()
    writeInt64(batch, 27, now)
    writeInt64(batch, 35, now)
    writeInt64(batch, 43, -1)
    batch.writeInt16BE(-1, 51)
    batch.writeInt32BE(-1, 53)
    batch.writeInt32BE(count, 57)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    return batch
  }

  #record(bytes: Buffer, at: number, { offset, index }: { offset: number; index: number }): number {
    const isDelete = offset >= this.deletesFrom && offset < this.deletesEnd
    const deltaBytes = index < 64 ? 1 : 2
    const body = 4 + deltaBytes + keyBytes + (isDelete ? 1 : (valueBytes < 64 ? 1 : 2) + valueBytes)
    let to = varint(bytes, at, body)
    bytes[to++] = 0
    bytes[to++] = 0
    to = varint(bytes, to, index)
    to = varint(bytes, to, keyBytes)
    to += bytes.write(String(this.keys[offset]).padStart(keyBytes, '0'), to, 'latin1')
    to = varint(bytes, to, isDelete ? -1 : valueBytes)
    if (!isDelete) {
      bytes.writeUInt32BE(offset, to)
      to += valueBytes
    }
    bytes[to++] = 0
    if (to - at !== body + (body < 64 ? 1 : 2)) throw new Error('a record of another length')
    return to
  }
}

function varint(bytes: Buffer, at: number, value: number): number {
  let left = value < 0 ? -value * 2 - 1 : value * 2
  let to = at
  for (; left >= 128; left = Math.floor(left / 128)) bytes[to++] = (left % 128) | 0x80
  bytes[to++] = left
  return to
}
