// Reads a whole partition and holds every record against what was written at its offset.

import assert from 'node:assert/strict'
import { recordsOf } from '../../broker/protocol/records.ts'
import { batchesFrom } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import type { Updates } from './updates-topic.ts'
import { keyCount } from './settings.ts'

export interface WholeLog {
  readonly records: number
  readonly tombstones: number
  /** Records below `cleanedEnd` whose key comes again below it. */
  readonly superseded: number
  readonly seconds: number
}

export async function readAll(
  bootstrap: string, topicId: string, { updates, cleanedEnd }: { readonly updates: Updates; readonly cleanedEnd: number },
): Promise<WholeLog> {
  const client = await WireClient.connect(bootstrap, 'reader')
  const seen = new Int32Array(keyCount).fill(-1)
  const started = performance.now()
  let [records, tombstones, superseded, before] = [0, 0, 0, -1]
  for await (const batch of batchesFrom(client, { topicId, partition: 0, offset: 0, bytesMax: 8 << 20 })) {
    for (const { offset, key, value } of recordsOf(batch, { bytesMax: 1 << 24 })) {
      const number = Number(key!.toString())
      if (offset <= before) throw new Error(`${offset} comes behind ${before}`)
      if (updates.keys[offset] !== number) throw new Error(`the record at ${offset} is of key ${number}, and ${updates.keys[offset]} was written`)
      if (value !== null && value.readUInt32BE(0) !== offset) throw new Error(`at ${offset} is what was written at ${value.readUInt32BE(0)}`)
      if (offset < cleanedEnd && seen[number]! >= 0) superseded++
      before = offset
      seen[number] = offset
      records++
      if (value === null) tombstones++
    }
  }
  client.close()
  for (let key = 0; key < keyCount; key++) {
    if (!updates.isDeleted(key)) assert.equal(seen[key], updates.newest[key], `the newest value of key ${key}`)
    else assert.ok(seen[key] === -1 || seen[key] === updates.newest[key], `key ${key} was deleted, and ${seen[key]} is there`)
  }
  return { records, tombstones, superseded, seconds: (performance.now() - started) / 1000 }
}
