import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { ManualClock } from '../support/manual-clock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { batch } from './batches.ts'
import { FakeLog } from './fake-log.ts'
import { TierWorld, type WorldOptions } from './tier-world.ts'
import { TroubledStore } from './troubled-store.ts'

const root = temporaryDirectory()
let worlds = 0

function open(options: Partial<WorldOptions> = {}): Promise<TierWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return TierWorld.open({ directory, ...options })
}

/** Partitions with one sealed segment each, sealed at these times. */
async function partitionsSealedAt(world: TierWorld, seals: readonly number[]) {
  return Promise.all(seals.map(async (sealedAt, index) => {
    const log = new FakeLog(world.directory, index)
    log.seal([batch({ baseOffset: 0, timestamps: [1] })], { sealedAt })
    const partition = world.tier.open(log)
    await partition.advanceLogStart(0)
    return partition
  }))
}

suite('the uploads of a broker', () => {
  test('who has waited longest since the seal goes first', async () => {
    const world = await open({ limits: { uploadsMax: 1 } })
    let isHeld = true
    const held: (() => void)[] = []
    world.store.before = (call) => (call === 'put' && isHeld ? new Promise<void>((resolve) => held.push(resolve)) : undefined)
    const partitions = await partitionsSealedAt(world, [50, 40, 10, 30, 20])
    for (const partition of partitions) await partition.tick(world.clock.now())
    await world.until(() => held.length === 1, 'the first upload')
    isHeld = false
    held[0]!()
    await world.until(() => partitions.every(({ tieredEnd }) => tieredEnd === 1), 'all uploads')
    const order = world.events.flatMap((event) => (event.kind === 'uploaded' ? [event.partition] : []))
    assert.deepEqual(order, ['orders-0', 'orders-2', 'orders-4', 'orders-3', 'orders-1'])
  })

  test('no more than the limit are under way, and metrics say what waits', async () => {
    const world = await open({ limits: { uploadsMax: 2 } })
    const held: (() => void)[] = []
    world.store.before = (call) => (call === 'put' ? new Promise<void>((resolve) => held.push(resolve)) : undefined)
    const partitions = await partitionsSealedAt(world, [1, 2, 3, 4, 5])
    for (const partition of partitions) await partition.tick(world.clock.now())
    await world.until(() => held.length === 2, 'two uploads')
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(held.length, 2)
    const { lagSegments, lagBytes, lagMs, uploadedSegments } = world.tier.metrics
    assert.deepEqual([lagSegments, uploadedSegments], [5, 0])
    assert.ok(lagBytes > 0 && lagMs > 1_000_000_000)
    const releaseAll = () => held.splice(0).forEach((release) => release())
    await world.until(() => partitions.every(({ tieredEnd }) => tieredEnd === 1), 'all uploads', releaseAll)
    assert.deepEqual([world.tier.metrics.lagSegments, world.tier.metrics.lagMs, world.tier.metrics.uploadedSegments], [0, 0, 5])
  })

  test('failures are repeated ever more slowly with one and the same key, and the next success starts over', async () => {
    const clock = new ManualClock()
    const world = await open({ clock, limits: { uploadRetryMs: 100, uploadRetryMsMax: 400 } })
    world.store.before = (call) => call === 'put' && TroubledStore.away()
    const [partition] = await partitionsSealedAt(world, [1])
    await partition!.tick(clock.now())
    const failures = () => world.events.flatMap((event) => (event.kind === 'upload failed' ? [event] : []))
    for (let count = 1; count <= 5; count++) {
      await world.until(() => failures().length === count, `failure ${count}`)
      const { retryMs, attempt } = failures().at(-1)!
      assert.equal(attempt, count)
      assert.ok(retryMs <= Math.min(400, 100 * 2 ** (count - 1)))
      partition!.sealed()
      await clock.advance(Math.max(0, retryMs - 1))
      assert.equal(failures().length, count, 'an offer does not shorten the rest')
      if (count === 5) world.store.before = () => {}
      await clock.advance(2)
    }
    await world.until(() => partition!.tieredEnd === 1, 'the success')
    const keys = new Set(world.store.calls.filter(({ call }) => call === 'put').map(({ key }) => key))
    assert.equal(keys.size, 1)
    assert.equal((await world.table.query(`tier/${world.log.topicId}/0`, { prefix: 'intent/' })).length, 0)
    assert.equal(world.tier.metrics.uploadErrors, 5)
  })

  test('a partition that is closed stops its upload, and commits nothing after', async () => {
    const world = await open()
    const held: (() => void)[] = []
    world.store.behind = (call) => (call === 'put' ? new Promise<void>((resolve) => held.push(resolve)) : undefined)
    const [partition] = await partitionsSealedAt(world, [1])
    await partition!.tick(world.clock.now())
    await world.until(() => held.length === 1, 'the upload')
    await partition!.close()
    held[0]!()
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(partition!.tieredEnd, 0)
    assert.equal(world.events.some(({ kind }) => kind === 'uploaded'), false)
    assert.equal(world.tier.metrics.partitions, 0)
  })

  test('a store that never answers is given up after the time-out', async () => {
    const clock = new ManualClock()
    const world = await open({ clock, ioLimits: { uploadTimeoutMs: 5000 } })
    world.store.before = (call) => (call === 'put' ? new Promise<void>(() => {}) : undefined)
    const [partition] = await partitionsSealedAt(world, [1])
    await partition!.tick(clock.now())
    await world.until(() => world.store.calls.some(({ call }) => call === 'put'), 'the upload')
    await clock.advance(5001)
    await world.until(() => world.events.some(({ kind }) => kind === 'upload failed'), 'the failure')
    const failed = world.events.find((event) => event.kind === 'upload failed')
    assert.match(failed?.kind === 'upload failed' ? failed.error.message : '', /no answer within 5000 ms/)
  })

  test('the bytes per second of all uploads together are limited', async () => {
    const clock = new ManualClock()
    const world = await open({ clock, ioLimits: { uploadBytesPerSecond: 1000, uploadChunkBytes: 500 } })
    world.seal({ segments: 1, batches: 20, log: world.log })
    const partition = await world.lead()
    partition.sealed()
    const seconds = Math.floor(world.log.localBytes / 1000)
    assert.ok(seconds >= 5)
    for (let second = 0; second < seconds - 1; second++) {
      assert.equal(partition.tieredEnd, 0, `after ${second} s`)
      await new Promise((resolve) => setTimeout(resolve, 10))
      await clock.advance(1000)
    }
    await world.until(() => partition.tieredEnd > 0, 'the upload', () => void clock.advance(500))
  })
})
