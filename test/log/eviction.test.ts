import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aBatch } from '../support/a-batch.ts'
import { LogWorld } from './log-world.ts'

test('eviction gets its turn although segments are sealed faster than their files can be made', async () => {
  const world = new LogWorld({}, { segmentBytes: 1024, isTiered: true })
  const log = await world.open()
  let evicted: number | undefined
  const batches = 1000
  for (let appended = 0; appended < batches; appended++) {
    await log.append(aBatch({ valueBytes: 600 }), { leaderEpoch: 0 })
    if (appended === 200) void log.evictBelow(log.sealedSegments().at(-1)!.endOffset).then(() => (evicted = log.durableEndOffset))
  }
  assert.ok(evicted !== undefined && evicted < batches / 2, `evicted when ${evicted ?? 'more than all'} of ${batches} batches were appended`)
  await log.close()
  assert.deepEqual(world.faults, [])
})

test('what is sealed while the disk is busy is settled in the end, in order', async () => {
  const world = new LogWorld({}, { segmentBytes: 1024, isTiered: true })
  const log = await world.open()
  await Promise.all(Array.from({ length: 300 }, () => log.append(aBatch({ valueBytes: 600 }), { leaderEpoch: 0 })))
  await log.roll()
  for (let turns = 0; turns < 5000 && log.sealedSegments().length < 300; turns++) await new Promise((resolve) => setImmediate(resolve))
  const sealed = log.sealedSegments()
  assert.equal(sealed.at(-1)?.endOffset, 300)
  for (const [index, { baseOffset }] of sealed.entries()) assert.equal(baseOffset, index === 0 ? 0 : sealed[index - 1]!.endOffset)
  await log.close()
  assert.deepEqual(world.faults, [])
})
