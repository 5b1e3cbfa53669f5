import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { SealedSegment } from '../../broker/log/sealed-segment.ts'
import type { ManifestHead } from '../../broker/tier/manifest-items.ts'
import { planEviction, planLogStart, type RetentionState } from '../../broker/tier/retention.ts'
import type { TierConfig } from '../../broker/tier/tier-source.ts'
import type { TieredSegment } from '../../broker/tier/tiered-segment.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { TierWorld } from './tier-world.ts'

const keep: TierConfig = {
  isUploadEnabled: true, isDeleteEnabled: true, retentionMs: -1, retentionBytes: -1,
  localRetentionMs: -2, localRetentionBytes: -2,
}
const now = 1_000_000

function row(baseOffset: number, fields: Partial<TieredSegment> = {}): TieredSegment {
  return {
    key: `k${baseOffset}`, baseOffset, endOffset: baseOffset + 10, epoch: 1, generation: 0,
    bytes: 150, batchesBytes: 100, batchCount: 1, recordCount: 10,
    maxTimestamp: now, maxTimestampSoFar: now, sealedAt: now, crc32c: 0, formatVersion: 1, sections: [], ...fields,
  }
}

function local(baseOffset: number, fields: Partial<SealedSegment> = {}): SealedSegment {
  return {
    baseOffset, endOffset: baseOffset + 10, bytes: 100, maxTimestamp: now, sealedAt: now, path: '',
    sections: () => Promise.reject(new Error('not asked for')), ...fields,
  }
}

function stateOf(
  rows: readonly TieredSegment[], segments: readonly SealedSegment[],
  config: Partial<TierConfig>, head: Partial<ManifestHead> = {},
): RetentionState {
  return {
    now, isClockTrusted: true, config: { ...keep, ...config }, rows, local: segments, lastStableOffset: 1000,
    localBytes: segments.reduce((total, { bytes }) => total + bytes, 0),
    head: {
      epoch: 1, logStart: 0, tieredEnd: rows.at(-1)?.endOffset ?? 0, generation: 0, segments: rows.length, maxTimestamp: now,
      bytes: rows.reduce((total, { batchesBytes }) => total + batchesBytes, 0), ...head,
    },
  }
}

suite('retention over both tiers', () => {
  const rows = [row(0), row(10), row(20), row(30)]

  test('what lies in both tiers counts once, so that a fresh leader deletes nothing that is allowed', () => {
    const both = [local(20), local(30), local(40)]
    // 400 in the tier and 100 above it: KAFKA-20732 counted 700.
    assert.equal(planLogStart(stateOf(rows, both, { retentionBytes: 500 })), 0)
    assert.equal(planLogStart(stateOf(rows, both, { retentionBytes: 400 })), 10)
    assert.equal(planLogStart(stateOf(rows, both, { retentionBytes: 0 })), 50)
  })

  test('a segment that the manifest has in part is not counted: that deletes too little, never too much', () => {
    const across = [local(35, { endOffset: 55, bytes: 200 })]
    assert.equal(planLogStart(stateOf(rows, across, { retentionBytes: 400 })), 0)
    assert.equal(planLogStart(stateOf(rows, across, { retentionBytes: 300 })), 10)
  })

  test('rows below the start count no more, though they are still there', () => {
    assert.equal(planLogStart(stateOf(rows, [], { retentionBytes: 200 }, { logStart: 20 })), 20)
    assert.equal(planLogStart(stateOf(rows, [], { retentionBytes: 199 }, { logStart: 20 })), 20)
    assert.equal(planLogStart(stateOf(rows, [], { retentionBytes: 100 }, { logStart: 20 })), 30)
  })

  test('time deletes from the front only, exactly past the limit, and by the seal where there are no timestamps', () => {
    const old = (age: number, baseOffset: number) => row(baseOffset, { maxTimestamp: now - age })
    assert.equal(planLogStart(stateOf([old(51, 0), old(50, 10), old(99, 20)], [], { retentionMs: 50 })), 10)
    assert.equal(planLogStart(stateOf([old(50, 0), old(99, 10)], [], { retentionMs: 50 })), 0)
    const timeless = [row(0, { maxTimestamp: -1, sealedAt: now - 60 }), row(10, { maxTimestamp: -1, sealedAt: now - 40 })]
    assert.equal(planLogStart(stateOf(timeless, [], { retentionMs: 50 })), 10)
  })

  test('what was never uploaded expires too, but nothing at or above the last stable offset and never the open segment', () => {
    const old = [0, 10, 20].map((base) => local(base, { maxTimestamp: 5 }))
    assert.equal(planLogStart(stateOf([], old, { retentionMs: 50 })), 30)
    assert.equal(planLogStart({ ...stateOf([], old, { retentionMs: 50 }), lastStableOffset: 25 }), 20)
  })

  test('segments behind rows that were not looked at wait', () => {
    const old = [row(0, { maxTimestamp: 5 }), row(10, { maxTimestamp: 5 })]
    const state = stateOf(old, [local(40, { maxTimestamp: 5 })], { retentionMs: 50 }, { tieredEnd: 40, segments: 4 })
    assert.equal(planLogStart(state), 20)
  })

  test('nothing is deleted where the policy is not to delete, and nothing is old after the clock has jumped', () => {
    const old = [row(0, { maxTimestamp: 5 })]
    assert.equal(planLogStart(stateOf(old, [], { retentionMs: 1, retentionBytes: 0, isDeleteEnabled: false })), 0)
    assert.equal(planLogStart({ ...stateOf(old, [], { retentionMs: 1 }), isClockTrusted: false }), 0)
    assert.equal(planLogStart(stateOf(old, [], { retentionMs: Infinity, retentionBytes: Infinity })), 0)
  })

  test('the start never goes back, stays on borders of segments and within the limits, whatever there is', () => {
    const shape = fc.record({
      tiered: fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 50 }), age: fc.nat(100) }), { maxLength: 8 }),
      above: fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 50 }), age: fc.nat(100) }), { maxLength: 8 }),
      logStart: fc.nat(160), retentionMs: fc.integer({ min: -1, max: 100 }), retentionBytes: fc.integer({ min: -1, max: 500 }),
    })
    fc.assert(fc.property(shape, ({ tiered, above, logStart, retentionMs, retentionBytes }) => {
      const made = tiered.map(({ bytes, age }, index) => row(10 * index, { batchesBytes: bytes, maxTimestamp: now - age }))
      const end = 10 * made.length
      const segments = above.map(({ bytes, age }, index) => local(end + 10 * index, { bytes, maxTimestamp: now - age }))
      const state = stateOf(made, segments, { retentionMs, retentionBytes }, { logStart })
      const start = planLogStart(state)
      assert.ok(start >= logStart)
      assert.ok(start === logStart || start % 10 === 0)
      const tieredSegments = made.map(({ batchesBytes: bytes, ...one }) => ({ ...one, bytes }))
      const left = [...tieredSegments, ...segments].filter((one) => one.endOffset > start)
      const bytes = left.reduce((total, one) => total + one.bytes, 0)
      if (retentionBytes >= 0 && left.length > 0) assert.ok(bytes - left[0]!.bytes < retentionBytes, 'one segment more could go')
      if (retentionMs >= 0 && left.length > 0) assert.ok(now - left[0]!.maxTimestamp <= retentionMs, 'an expired one is left')
      if (start > logStart) {
        const gone = [...made, ...segments].filter((one) => one.endOffset === start)[0]!
        const goneBytes = 'batchesBytes' in gone ? gone.batchesBytes : gone.bytes
        const isOld = retentionMs >= 0 && now - gone.maxTimestamp > retentionMs
        assert.ok(isOld || (retentionBytes >= 0 && bytes >= retentionBytes), `deleted ${goneBytes} without need`)
      }
    }))
  })
})

suite('eviction of local segments', () => {
  const segments = [local(0), local(10), local(20), local(30)]
  const evict = (config: Partial<TierConfig>, tieredEnd: number, some = segments, isClockTrusted = true) =>
    planEviction({ ...stateOf([], some, config, { tieredEnd }), isClockTrusted })

  test('never goes above what is known to be the same in the tier and here', () => {
    const state = { ...stateOf([], segments, { localRetentionBytes: 0 }, { tieredEnd: 40 }), isClockTrusted: true }
    assert.equal(planEviction(state), 40)
    assert.equal(planEviction({ ...state, lastStableOffset: 25 }), 20)
  })

  test('never goes above the tier\'s end, whatever the limits say', () => {
    const limit = fc.integer({ min: -2, max: 500 })
    fc.assert(fc.property(fc.nat(60), limit, limit, (tieredEnd, localRetentionBytes, localRetentionMs) => {
      const offset = evict({ localRetentionBytes, localRetentionMs, retentionMs: 10, retentionBytes: 0 }, tieredEnd)
      assert.ok(offset <= tieredEnd)
    }))
    assert.equal(evict({ localRetentionBytes: 0 }, 0), 0)
    assert.equal(evict({ localRetentionBytes: 0 }, 25), 20)
  })

  test('-2 is the limit of both tiers, -1 none, and anything else its own', () => {
    assert.equal(evict({ retentionBytes: 200 }, 40), 20)
    assert.equal(evict({ retentionBytes: 200, localRetentionBytes: -1 }, 40), 0)
    assert.equal(evict({ retentionBytes: -1, localRetentionBytes: 100 }, 40), 30)
    assert.equal(evict({ retentionBytes: -1 }, 40), 0)
  })

  test('what was compacted in the object store leaves the disk, and only where the topic is still compacted', () => {
    const compaction = { deleteRetentionMs: 0, dirtyRatioMin: 0.5, lagMsMin: 0, lagMsMax: Infinity }
    const head = { tieredEnd: 40, compaction: { cleanedEnd: 25, passEnd: 0, passNext: 0, horizonMs: -1, passHorizonMs: -1 } }
    assert.equal(planEviction({ ...stateOf([], segments, { compaction }, head), isClockTrusted: true }), 20)
    assert.equal(planEviction({ ...stateOf([], segments, {}, head), isClockTrusted: true }), 0)
  })

  test('age counts from the seal where timestamps are of the future, and not at all after the clock has jumped', () => {
    const future = [local(0, { maxTimestamp: now * 2, sealedAt: now - 60 }), local(10)]
    assert.equal(evict({ localRetentionMs: 50 }, 40, future), 10)
    assert.equal(evict({ localRetentionMs: 50 }, 40, future, false), 0)
  })
})

suite('retention carried out', () => {
  const root = temporaryDirectory()
  let worlds = 0
  const open = () => {
    const directory = join(root, String(worlds++))
    mkdirSync(directory)
    return TierWorld.open({ directory, limits: { deleteDelayMs: 1000 } })
  }
  const itemsOf = async (world: TierWorld, prefix: string) => {
    return (await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix })).length
  }

  test('the start moves first, rows go next, and objects only after the delay', async () => {
    const world = await open()
    world.seal({ segments: 4 })
    const partition = await world.lead()
    await world.tieredTo(partition, 200)
    world.log.settings = { ...keep, retentionBytes: world.log.segments[0]!.bytes * 2 }
    const start = world.clock.now()
    await partition.tick(start)
    assert.deepEqual([world.log.logStartOffset, partition.tierStart, partition.bytes], [100, 100, world.log.localBytes])
    assert.deepEqual([await itemsOf(world, 'segment/'), await itemsOf(world, 'retired/')], [2, 2])
    assert.equal((await world.store.keys()).length, 4)
    assert.deepEqual(await world.read(partition, 99), { kind: 'below start', logStartOffset: 100 })
    await partition.tick(start + 500)
    assert.equal((await world.store.keys()).length, 4)
    await partition.tick(start + 2000)
    assert.deepEqual([await itemsOf(world, 'retired/'), (await world.store.keys()).length], [0, 2])
    assert.ok((await world.readAll(partition, { offset: 100, end: 200 })).equals(world.log.bytesOf(100)))
  })

  test('an upload under way is in no sum', async () => {
    const world = await open()
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 100)
    world.log.settings = { ...keep, retentionBytes: world.log.localBytes + 1 }
    let release = () => {}
    world.store.before = (call) => (call === 'put' ? new Promise<void>((resolve) => (release = resolve)) : undefined)
    world.seal({ segments: 1 })
    world.log.settings = { ...keep, retentionBytes: world.log.localBytes }
    partition.sealed()
    await world.until(() => world.store.calls.filter(({ call }) => call === 'put').length === 3, 'the third upload')
    assert.equal(await itemsOf(world, 'intent/'), 1)
    await partition.tick(world.clock.now())
    assert.equal(world.log.logStartOffset, 0)
    release()
    await world.tieredTo(partition, 150)
    await partition.tick(world.clock.now())
    assert.equal(world.log.logStartOffset, 0)
  })

  test('objects that cannot be deleted stay on the list until they can', async () => {
    const world = await open()
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 100)
    await partition.advanceLogStart(60)
    world.store.before = (call) => {
      if (call === 'delete') throw new Error('no')
    }
    const start = world.clock.now()
    await partition.tick(start)
    await partition.tick(start + 5000)
    assert.deepEqual([await itemsOf(world, 'retired/'), (await world.store.keys()).length], [1, 2])
    world.store.before = () => {}
    await partition.tick(start + 5000)
    assert.deepEqual([await itemsOf(world, 'retired/'), (await world.store.keys()).length], [0, 1])
  })

  test('after an outage longer than the retention the tier goes on where the log starts', async () => {
    const world = await open()
    world.seal({ segments: 1 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    world.store.before = (call) => {
      if (call === 'put') throw new Error('away')
    }
    world.seal({ segments: 3 })
    world.log.settings = { ...keep, retentionBytes: world.log.segments[0]!.bytes }
    await partition.tick(world.clock.now())
    assert.equal(world.log.logStartOffset, 150)
    world.store.before = () => {}
    world.log.settings = keep
    await world.tieredTo(partition, 200)
    assert.ok((await world.readAll(partition, { offset: 150, end: 200 })).equals(world.log.bytesOf(150)))
  })

  test('a gap that nothing excuses blocks uploads and is told', async () => {
    const world = await open()
    world.seal({ segments: 3 })
    world.log.segments.splice(0, 1)
    const partition = await world.lead()
    partition.sealed()
    await world.until(() => world.events.some(({ kind }) => kind === 'upload blocked'), 'the event')
    const blocked = world.events.find(({ kind }) => kind === 'upload blocked')
    assert.deepEqual(blocked, { kind: 'upload blocked', partition: 'orders-3', start: 0, end: 50 })
    assert.equal(partition.tieredEnd, 0)
  })

  test('a local segment goes only when its object is committed, and is then read from the tier', async () => {
    const world = await open()
    world.seal({ segments: 3 })
    world.log.settings = { ...keep, localRetentionBytes: 0 }
    const partition = await world.lead()
    await partition.tick(world.clock.now())
    assert.ok(world.log.evictions.every((offset) => offset <= partition.tieredEnd))
    await world.tieredTo(partition, 150)
    await partition.tick(world.clock.now())
    assert.equal(world.log.segments.length, 0)
    assert.ok((await world.readAll(partition, { offset: 0, end: 150 })).equals(world.log.bytesOf(0)))
  })

  test('a log that is shorter than the tier is not led: it would drop what it appends', async () => {
    const world = await open()
    world.seal({ segments: 2 })
    const first = await world.lead()
    await world.tieredTo(first, 100)
    await first.close()
    assert.deepEqual(await world.tier.restorePoint(world.log), {
      offset: 100, logStartOffset: 0, epochs: [{ epoch: 0, startOffset: 0 }], producers: Buffer.from('producers at 50'),
    })
    world.log.segments = []
    world.log.endOffset = 0
    world.log.leaderEpoch = 6
    const second = await world.lead()
    assert.equal(second.isReady, false)
    const failed = world.events.at(-1)!
    assert.equal(failed.kind === 'task failed' && failed.error.code, 'diverged')
  })
})
