// What a client is told of a timestamp while retention, uploads and eviction go on. The tier is this test's: it has every record
// up to its end, and things happen while it is searched.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import type { ColdTier } from '../../broker/replication/cold-tier.ts'
import { findMaxTimestamp, findTimestamp } from '../../broker/replication/time-lookup.ts'
import { DiskError } from '../../broker/runtime/disk.ts'
import { aBatch, aMoment } from '../support/a-batch.ts'
import { appendAll, LogWorld } from '../log/log-world.ts'

const records = 12
/** Of the record at an offset. */
const timeOf = (offset: number) => aMoment + offset

/** A log of twelve records, two to a segment, all of which are in the tier; on the disk it begins at 8. */
async function world() {
  const around = new LogWorld({}, { segmentBytes: 1 })
  const log = await around.openCold()
  await appendAll(log, Array.from({ length: records / 2 }, (_, index) => aBatch({ timestamps: [timeOf(2 * index), timeOf(2 * index + 1)] })))
  await around.clock.advance(10)
  await log.evictBelow(8)
  return { log, ...aTier(log) }
}

function aTier(log: PartitionLog) {
  const tier = { endOffset: 8, searches: 0, during: async () => {} }
  const cold = {
    async offsetForTimestamp(timestamp: number, startOffset: number) {
      tier.searches++
      const { endOffset } = tier
      const offsets = Array.from({ length: endOffset }, (_, offset) => offset)
      const offset = offsets.find((one) => one >= startOffset && timeOf(one) >= timestamp)
      await tier.during()
      return { found: offset === undefined ? undefined : { offset, timestamp: timeOf(offset) }, endOffset }
    },
    async maxTimestamp({ startOffset, endOffset: below }: { readonly startOffset: number; readonly endOffset: number }) {
      tier.searches++
      const endOffset = Math.min(tier.endOffset, below)
      await tier.during()
      return { found: endOffset > startOffset ? { offset: endOffset - 1, timestamp: timeOf(endOffset - 1) } : undefined, endOffset }
    },
  } as unknown as ColdTier
  const largestBelow = async (below: number) => {
    const found = await findMaxTimestamp({ log, tier: cold }, below)
    return typeof found === 'object' ? found.offset : found
  }
  const offsetAt = async (offset: number, below = Infinity) => {
    const found = await findTimestamp({ log, tier: cold }, timeOf(offset), below)
    return typeof found === 'object' ? found.offset : found
  }
  return { tier, offsetAt, largestBelow }
}

test('what is in the tier is found there, and the rest on the disk, below the end that may be told', async () => {
  const { offsetAt } = await world()
  assert.deepEqual(await Promise.all([0, 7, 8, 11, 12].map((offset) => offsetAt(offset))), [0, 7, 8, 11, undefined])
  assert.deepEqual([await offsetAt(5, 5), await offsetAt(9, 9), await offsetAt(9, 10)], [undefined, undefined, 9])
})

test('a record that retention deletes while it is searched for is followed by the next one in the tier, and not by one on the disk', async () => {
  const { log, tier, offsetAt } = await world()
  tier.during = () => log.advanceLogStart(4)
  assert.equal(await offsetAt(1), 4)
  assert.equal(tier.searches, 2)
})

test('what is uploaded and evicted while the tier is searched is not passed over', async () => {
  const { log, tier, offsetAt } = await world()
  tier.during = async () => {
    tier.endOffset = 10
    await log.evictBelow(10)
  }
  assert.equal(await offsetAt(9), 9)
  assert.equal(tier.searches, 2)
})

test('where the disk begins behind what the tier has, nobody is told that there is nothing', async () => {
  const { log, tier, offsetAt } = await world()
  tier.endOffset = 0
  assert.equal(await offsetAt(5), 'unavailable')
  assert.equal(await findTimestamp({ log, tier: undefined }, timeOf(5), Infinity), 'unavailable')
  await log.advanceLogStart(8)
  assert.equal(await offsetAt(5), 8, 'what is deleted need not be searched')
})

test('a lookup that retention overtakes again and again is to come back, and ends', async () => {
  const { log, tier, offsetAt } = await world()
  let start = 0
  tier.during = () => log.advanceLogStart(++start)
  assert.equal(await offsetAt(0), 'unavailable')
  assert.equal(tier.searches, 5)
})

test('a file that is evicted while it is searched is no damage: its records are found in the tier', async () => {
  const { log } = await world()
  const gone = new DiskError('open', '/8.log', { code: 'ENOENT' })
  const evictions = [() => log.evictBelow(10)]
  const overtaken = {
    get logStartOffset() { return log.logStartOffset },
    get localStartOffset() { return log.localStartOffset },
    async offsetForTimestamp(timestamp: number) {
      const evict = evictions.pop()
      if (evict === undefined) return log.offsetForTimestamp(timestamp)
      tier.endOffset = 10
      await evict()
      throw gone
    },
  } as unknown as PartitionLog
  const { tier, offsetAt } = aTier(overtaken)
  assert.equal(await offsetAt(9), 9)
  evictions.push(async () => {})
  await assert.rejects(offsetAt(11), gone, 'where nothing was evicted the disk is to blame')
})

test('the largest timestamp is that below the end that may be told, in the tier as on the disk, and never a deleted one', async () => {
  const { log, tier, largestBelow } = await world()
  assert.deepEqual(await Promise.all([12, 10, 9, 8, 3, 0].map((below) => largestBelow(below))), [11, 9, 8, 7, 2, undefined])
  tier.endOffset = 6
  assert.equal(await largestBelow(10), 'unavailable', 'nobody knows of what lies between')
  assert.equal(await largestBelow(6), 5)
  tier.endOffset = 8
  tier.during = () => log.advanceLogStart(4)
  assert.equal(await largestBelow(3), undefined, 'all of it was deleted meanwhile')
})
