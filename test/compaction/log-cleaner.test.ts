import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CompactionError, type CompactionIo } from '../../broker/compaction/compaction-io.ts'
import { InProcessCompaction } from '../../broker/compaction/in-process-compaction.ts'
import { type CleanerEvent, LogCleaner } from '../../broker/compaction/log-cleaner.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { LogWorld } from '../log/log-world.ts'
import { aMoment } from '../support/a-batch.ts'
import { put, recordsIn, settled } from './local-world.ts'

const dayMs = 86_400_000

interface Setup {
  readonly world: LogWorld
  readonly log: PartitionLog
  readonly name: string
}

/** Beside others on one disk. */
async function setUpBeside(world: LogWorld, name: string): Promise<Setup> {
  const log = await world.openCold({ directory: `/data/${name}`, ...(world.mounted === undefined ? {} : { disk: world.mounted }) })
  return { world, log, name }
}

async function setUp(name: string, config: Partial<LogWorld['config']> = {}): Promise<Setup> {
  const world = new LogWorld({}, { segmentBytes: 1_000, isCompacted: true, isDeleted: false, ...config })
  return { world, log: await world.openCold(), name }
}

/** So many updates of two keys, and a segment behind them. */
async function write({ log }: Setup, updates: number, timestamp = aMoment): Promise<void> {
  for (let index = 0; index < updates; index++) await put(log, [[`key-${index % 2}`, 'x'.repeat(100)]], timestamp)
  await log.roll()
  await settled(log)
}

function cleanerOf(setup: Setup, openIo?: () => CompactionIo) {
  const events: CleanerEvent[] = []
  const { clock } = setup.world
  const cleaner = new LogCleaner({
    clock, limits: { inflatedBytesMax: 1 << 24, retryMs: 60_000, idleMs: 60_000, progressEveryMs: 10_000 },
    settings: () => ({ mapBytesMax: 1 << 20, bytesPerSecond: Infinity, backoffMs: 15_000 }),
    openIo: openIo ?? (() => new InProcessCompaction({ disk: setup.world.mounted!, clock })), onEvent: (event) => events.push(event),
  })
  return { cleaner, events, kinds: () => events.map(({ topic, kind }) => `${topic} ${kind}`) }
}

function look(cleaner: LogCleaner, { log, name, world }: Setup, { isClockTrusted = true, stableOffset = log.durableEndOffset } = {}): void {
  cleaner.look({ topicName: name, partition: 0, log, config: world.config, stableOffset }, { isClockTrusted })
}

/** Looks, and waits for what came of it. */
async function round(cleaner: LogCleaner, of: readonly Setup[], options: Parameters<typeof look>[2] = {}): Promise<void> {
  for (const setup of of) look(cleaner, setup, options)
  for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setImmediate(resolve))
}

describe('the cleaner', () => {
  test('takes a log that is dirty enough, once, and the dirtiest first', async () => {
    const world = new LogWorld({}, { segmentBytes: 1_000, isCompacted: true, isDeleted: false })
    const clean = await setUpBeside(world, 'clean')
    const [dirty, dirtier] = [await setUpBeside(world, 'dirty'), await setUpBeside(world, 'dirtier')]
    const { cleaner, kinds } = cleanerOf(dirty)
    for (const setup of [clean, dirty, dirtier]) await write(setup, 40)
    // Half of what one has, and a part of the other's, was compacted before.
    await clean.log.compaction.cleanedUpTo(clean.log.compaction.sealedBelow(Infinity).at(-3)!.baseOffset)
    await dirty.log.compaction.cleanedUpTo(dirty.log.compaction.sealedBelow(Infinity)[1]!.baseOffset)
    look(cleaner, clean)
    assert.ok(cleaner.dirtyRatioMax < 0.5)
    // The first look begins with what it sees: a pass under way lets the others gather.
    const blocked = await setUpBeside(world, 'blocked')
    await write(blocked, 40)
    await round(cleaner, [blocked, clean, dirty, dirtier])
    assert.deepEqual(kinds(), ['blocked cleaned', 'dirtier cleaned', 'dirty cleaned'])
    assert.equal((await recordsIn(dirtier.log)).length, 2)
    await round(cleaner, [clean, dirty, dirtier])
    assert.equal(kinds().length, 3)
    assert.equal(cleaner.counts.passes, 3)
    assert.ok(cleaner.counts.recordsDropped > 100 && cleaner.counts.bytesRead > cleaner.counts.bytesWritten && cleaner.counts.mapFill > 0)
    await cleaner.stop()
  })

  test('keeps to the high watermark, the clock and the topic\'s settings', async () => {
    const setup = await setUp('kept')
    const { cleaner, kinds } = cleanerOf(setup)
    await write(setup, 40)
    await round(cleaner, [setup], { stableOffset: 3 })
    await round(cleaner, [setup], { isClockTrusted: false })
    const { world } = setup
    world.config = { ...world.config, isCompacted: false }
    await round(cleaner, [setup])
    world.config = { ...world.config, isCompacted: true, isTiered: true }
    await round(cleaner, [setup])
    world.config = { ...world.config, isTiered: false, minCompactionLagMs: 1 }
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), [])
    await world.clock.advance(2)
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), ['kept cleaned'])
    await cleaner.stop()
  })

  test('takes what is not dirty enough once it is older than max.compaction.lag.ms', async () => {
    const setup = await setUp('old', { maxCompactionLagMs: 10_000, minCleanableRatio: 1 })
    const { cleaner, kinds } = cleanerOf(setup)
    await write(setup, 40)
    await setup.world.clock.advance(10_000)
    await round(cleaner, [setup])
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), [])
    await setup.world.clock.advance(1)
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), ['old cleaned'])
    await cleaner.stop()
  })

  test('comes back for tombstones that have outlived delete.retention.ms, although nothing is dirty', async () => {
    const setup = await setUp('deleted', { deleteRetentionMs: dayMs })
    const { cleaner, kinds } = cleanerOf(setup)
    await put(setup.log, [['key-0', null]])
    await put(setup.log, [['key-1', 'kept']])
    await setup.log.roll()
    await settled(setup.log)
    await round(cleaner, [setup])
    await setup.world.clock.advance(dayMs - 1)
    await round(cleaner, [setup])
    assert.equal((await recordsIn(setup.log)).length, 2)
    assert.deepEqual(kinds(), ['deleted cleaned'])
    await setup.world.clock.advance(1)
    await round(cleaner, [setup])
    assert.deepEqual((await recordsIn(setup.log)).map(({ key }) => key), ['key-1'])
    await setup.world.clock.advance(2 * dayMs)
    await round(cleaner, [setup])
    assert.equal(kinds().length, 2)
    await cleaner.stop()
  })

  test('tells of a failure, leaves the log alone for a while, and asks another thread then', async () => {
    const setup = await setUp('failing')
    let opened = 0
    const { cleaner, kinds } = cleanerOf(setup, () => {
      opened++
      const failure = () => Promise.reject(new CompactionError('failed', 'the thread ended'))
      if (opened === 1) return { begin: failure, clean: failure, end: failure, close: failure }
      return new InProcessCompaction({ disk: setup.world.mounted!, clock: setup.world.clock })
    })
    await write(setup, 40)
    await round(cleaner, [setup])
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), ['failing failed'])
    await setup.world.clock.advance(60_000)
    await round(cleaner, [setup])
    assert.deepEqual(kinds(), ['failing failed', 'failing cleaned'])
    await cleaner.stop()
  })

  test('lets go of a log that is closed, and of all when it stops', async () => {
    for (const how of ['leave', 'stop'] as const) {
      const setup = await setUp('closed')
      const { cleaner, kinds } = cleanerOf(setup)
      await write(setup, 40)
      const before = (await recordsIn(setup.log)).length
      look(cleaner, setup)
      if (how === 'leave') await cleaner.leave(setup.log)
      else await cleaner.stop()
      assert.deepEqual(kinds(), ['closed ended'])
      await setup.log.close()
      const again = await setup.world.openCold()
      assert.equal((await recordsIn(again)).length, before)
      await cleaner.stop()
    }
  })
})
