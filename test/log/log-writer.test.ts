import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogWriter } from '../../broker/log/log-writer.ts'
import type { Segment } from '../../broker/log/segment.ts'
import type { SegmentList } from '../../broker/log/segment-list.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch } from '../support/a-batch.ts'

test('who is stopped in the middle of a write answers after it: the write reads from memory that is used again then', async () => {
  const writing = Promise.withResolvers<void>()
  const done: string[] = []
  const file = {
    write: () => writing.promise,
    sync: async () => void done.push('synced'),
  }
  const segment = { bytes: 0, acquire: async () => file, release() {} } as unknown as Segment
  const writer = new LogWriter({
    segments: { active: segment } as unknown as SegmentList, isSynced: true, segmentBytesMax: () => 1 << 20, beginsAt: () => 0, now: () => 0,
    onWritten: () => done.push('written'), onSealed() {}, onFailed: () => done.push('failed'), onStopped: () => done.push('stopped'),
  })
  writer.add(new RecordBatch(aBatch()))
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
  writer.stop(new Error('a sync in the background failed'))
  assert.deepEqual([writer.isStopped, done], [true, []])
  writing.resolve()
  await writer.exclusively(async () => {})
  assert.deepEqual(done, ['stopped'])
})
