import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { TableError, type CommitResult, type Write } from '../../broker/table/table.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Manifest } from '../../broker/tier/manifest.ts'
import { advanceLogStart, deleteRetired, retireRows } from '../../broker/tier/retirement.ts'
import { batch } from './batches.ts'
import { FakeLog } from './fake-log.ts'
import { TroubledStore } from './troubled-store.ts'
import { TierWorld, type WorldOptions } from './tier-world.ts'

const root = temporaryDirectory()
let worlds = 0

function open(options: Partial<WorldOptions> = {}): Promise<TierWorld> {
  const directory = join(root, String(worlds++))
  mkdirSync(directory)
  return TierWorld.open({ directory, ...options })
}

/** Commits and then loses the answer, while `failsAfter` says so. */
class CrashingTable extends MemoryTable {
  failsAfter: (writes: readonly Write[]) => boolean = () => false

  override async commit(writes: readonly Write[]): Promise<CommitResult> {
    const result = await super.commit(writes)
    if (this.failsAfter(writes)) throw new TableError('unknown', 'the answer was lost')
    return result
  }
}

suite('the tier of a partition', () => {

  test('what was uploaded reads back byte for byte, across segments, with any size of fetch', async () => {
    const world = await open()
    world.seal({ segments: 4, batches: 30 })
    const partition = await world.lead()
    await world.tieredTo(partition, world.log.endOffset)
    for (const bytesMax of [1, 100, 700, 3000, 100_000]) {
      const read = await world.readAll(partition, { offset: 0, end: world.log.endOffset, bytesMax })
      assert.ok(read.equals(world.log.bytesOf(0)), `with ${bytesMax} bytes`)
    }
  })

  test('a fetch begins with the batch that holds its offset, and ends before its end offset', async () => {
    const world = await open()
    world.seal({ segments: 2, batches: 20, records: 5 })
    const partition = await world.lead()
    await world.tieredTo(partition, 200)
    const read = await world.read(partition, 93, { bytesMax: 1_000_000, endOffset: 150 })
    assert.equal(read.kind, 'batches')
    assert.ok(Buffer.concat(read.batches as Buffer[]).equals(world.log.bytesOf(93, 150)))
    assert.equal(read.nextOffset, 150)
  })

  test('a first batch larger than the fetch comes only where one batch at least is wanted', async () => {
    const world = await open()
    world.seal({ segments: 1, batches: 3, records: 1, valueBytes: 9000 })
    const partition = await world.lead()
    await world.tieredTo(partition, 3)
    const whole = await world.read(partition, 1, { bytesMax: 10 })
    assert.equal(whole.kind === 'batches' && whole.bytes, world.log.bytesOf(1, 2).length)
    const none = await world.read(partition, 1, { bytesMax: 10, minOneBatch: false })
    assert.deepEqual([none.kind, none.kind === 'batches' && none.bytes], ['batches', 0])
  })

  test('gaps that compaction left are stepped over, within a segment and at its end', async () => {
    const world = await open()
    const { log } = world
    log.seal([batch({ baseOffset: 0, timestamps: [1, 2] }), batch({ baseOffset: 10, timestamps: [3] })], { endOffset: 50 })
    log.seal([batch({ baseOffset: 60, timestamps: [4], span: 5 })], { baseOffset: 50, endOffset: 80 })
    const partition = await world.lead()
    await world.tieredTo(partition, 80)
    assert.ok((await world.readAll(partition, { offset: 0, end: 80 })).equals(log.bytesOf(0)))
    for (const offset of [5, 11, 49, 55, 63]) {
      assert.ok((await world.readAll(partition, { offset, end: 80 })).equals(log.bytesOf(offset)), `from ${offset}`)
    }
  })

  test('offsets behind the tier are the log\'s, and those before the start are gone', async () => {
    const world = await open()
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 100)
    assert.equal((await world.read(partition, 100)).kind, 'local')
    await partition.advanceLogStart(70)
    assert.deepEqual(await world.read(partition, 69), { kind: 'below start', logStartOffset: 70 })
    assert.equal((await world.read(partition, 70)).kind, 'batches')
    assert.equal(world.log.logStartOffset, 70)
  })

  test('one that follows neither claims nor uploads, whatever is asked of it', async () => {
    const world = await open()
    world.log.isFollower = true
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await assert.rejects(partition.advanceLogStart(50), { code: 'fenced' })
    await partition.reconcile(world.clock.now())
    partition.sealed()
    await partition.tick(world.clock.now())
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual([await world.store.keys(), await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3')], [[], []])
    assert.deepEqual([partition.tieredEnd, world.log.logStartOffset, world.events], [0, 0, []])
    world.log.isFollower = false
    await world.tieredTo(await world.lead(), 100)
    await partition.tick(world.clock.now())
    assert.equal(partition.tieredEnd, 100, 'it sees what the leader has done')
  })

  test('a fetch brings the aborted transactions of what it reads, whichever segment has their marker', async () => {
    const world = await open()
    world.log.aborted = [
      { producerId: 1, firstOffset: 10, lastOffset: 12, lastStableOffset: 13 },
      { producerId: 2, firstOffset: 45, lastOffset: 70, lastStableOffset: 71 },
      { producerId: 3, firstOffset: 80, lastOffset: 90, lastStableOffset: 91 },
    ]
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 100)
    const abortedIn = async (offset: number, endOffset: number) => {
      const read = await world.read(partition, offset, { endOffset, bytesMax: 1_000_000 })
      return read.kind === 'batches' && read.aborted.map((one) => one.producerId).sort()
    }
    assert.deepEqual(await abortedIn(0, 50), [1, 2])
    assert.deepEqual(await abortedIn(15, 40), [])
    assert.deepEqual(await abortedIn(45, 75), [2])
    assert.deepEqual(await abortedIn(0, 100), [1, 2, 3])
  })

  test('only what lies wholly below the last stable offset goes up', async () => {
    const world = await open()
    world.log.stableOffset = 99
    world.seal({ segments: 2 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    for (let pokes = 0; pokes < 20; pokes++) {
      partition.sealed()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.equal(partition.tieredEnd, 50)
    world.log.stableOffset = 100
    await world.tieredTo(partition, 100)
  })

  test('a new leader whose segments end elsewhere goes on where the tier ends', async () => {
    const world = await open()
    world.seal({ segments: 2, batches: 10, records: 5 })
    const first = await world.lead()
    await world.tieredTo(first, 100)
    await first.close()
    const other = new FakeLog(world.directory)
    other.leaderEpoch = 6
    world.seal({ segments: 1, batches: 7, log: other })
    world.seal({ segments: 2, batches: 14, log: other })
    const second = await world.lead(other)
    assert.equal(second.tieredEnd, 100)
    await world.tieredTo(second, 175)
    const rows = await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'segment/' })
    assert.deepEqual(rows.map(({ value }) => (value as { baseOffset: number }).baseOffset), [0, 50, 100, 105])
    assert.ok((await world.readAll(second, { offset: 0, end: 175 })).equals(other.bytesOf(0)))
  })
})

suite('the tier in trouble', () => {
  test('a crash after each step of an upload leaves nothing that a new leader does not put right', async () => {
    for (const step of ['intent', 'put', 'lost answer', 'commit'] as const) {
      const table = new CrashingTable()
      const world = await open({ table })
      world.seal({ segments: 3 })
      const first = await world.lead()
      let hasCrashed = false
      const crash = () => {
        hasCrashed = true
        TroubledStore.away()
      }
      if (step === 'intent') world.store.before = (call) => call === 'put' && crash()
      if (step === 'put') world.store.before = (call) => call === 'head' && crash()
      if (step === 'lost answer') world.store.behind = (call) => call === 'put' && crash()
      const isCommit = (writes: readonly Write[]) => writes.some(({ key }) => key.sort.startsWith('segment/'))
      if (step === 'commit') table.failsAfter = (writes) => (hasCrashed ||= isCommit(writes))
      first.sealed()
      await world.until(() => hasCrashed, step)
      await first.close()
      world.store.before = world.store.behind = () => {}
      table.failsAfter = () => false

      const successor = new FakeLog(world.directory)
      successor.leaderEpoch = 6
      world.seal({ segments: 3, log: successor })
      const second = await world.lead(successor)
      await world.tieredTo(second, 150)
      assert.ok((await world.readAll(second, { offset: 0, end: 150 })).equals(world.log.bytesOf(0)), step)
      await second.tick(world.clock.now())
      await second.tick(world.clock.now() + 3_600_000)
      const items = await table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3')
      const named = items.map(({ sort, value }) => ({ sort, key: (value as { key?: string }).key }))
      const left = named.filter(({ sort }) => sort !== 'head')
      assert.ok(left.every(({ sort }) => sort.startsWith('segment/')), `${step}: ${JSON.stringify(left)}`)
      assert.deepEqual((await world.store.keys()).sort(), left.map(({ key }) => key).sort(), step)
    }
  })

  test('a deposed leader leaves an orphan at most, and stops', async () => {
    const world = await open()
    world.seal({ segments: 2 })
    const first = await world.lead()
    let release = () => {}
    world.store.before = (call) => (call === 'put' ? new Promise<void>((resolve) => (release = resolve)) : undefined)
    first.sealed()
    await world.until(() => world.store.calls.some(({ call }) => call === 'put'), 'the first upload')
    const successor = new FakeLog(world.directory)
    successor.leaderEpoch = 6
    world.seal({ segments: 2, log: successor })
    const second = await world.lead(successor)
    world.store.before = () => {}
    release()
    await world.until(() => world.events.some(({ kind }) => kind === 'fenced'), 'the fence')
    await world.tieredTo(second, 100)
    const rows = await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'segment/' })
    assert.deepEqual(rows.map(({ value }) => (value as { epoch: number }).epoch), [6, 6])
    assert.equal((await world.store.keys()).length, 3)
    await second.tick(world.clock.now() + 3_600_000)
    await second.tick(world.clock.now() + 7_200_000)
    assert.deepEqual((await world.store.keys()).sort(), rows.map(({ value }) => (value as { key: string }).key).sort())
  })

  test('two uploaders of one epoch never both commit a range', async () => {
    const world = await open()
    world.seal({ segments: 5 })
    const [one, other] = await Promise.all([world.lead(), world.lead()])
    await world.until(() => Math.min(one.tieredEnd, other.tieredEnd) >= 250, 'both to see the end', () => {
      one.sealed()
      other.sealed()
      void one.tick(world.clock.now())
      void other.tick(world.clock.now())
    })
    const rows = await world.table.query('tier/tPcZrYzKQ0GQp6W1vHnK2A/3', { prefix: 'segment/' })
    assert.deepEqual(rows.map(({ value }) => (value as { baseOffset: number }).baseOffset), [0, 50, 100, 150, 200])
    assert.equal(one.bytes, world.log.localBytes)
  })

  test('while the store is away a fetch is refused with an error to retry, and nothing is evicted', async () => {
    const world = await open()
    world.log.settings = { ...world.log.settings, localRetentionBytes: 0 }
    world.seal({ segments: 2 })
    const partition = await world.lead()
    world.store.before = (call) => call === 'put' && TroubledStore.away()
    partition.sealed()
    await world.until(() => world.events.filter(({ kind }) => kind === 'upload failed').length > 2, 'failures')
    await partition.tick(world.clock.now())
    assert.equal(world.log.segments.length, 2)
    world.store.before = () => {}
    await world.tieredTo(partition, 100)
    world.store.before = () => TroubledStore.away()
    const read = await world.read(partition, 10)
    assert.equal(read.kind === 'refused' && read.error, ErrorCode.KAFKA_STORAGE_ERROR)
    world.store.before = () => {}
    assert.equal((await world.read(partition, 10)).kind, 'batches')
  })

  test('a slow store makes fetches pend, and what it brings in the end is there for the next one', async () => {
    const world = await open()
    world.seal({ segments: 1 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    const held: (() => void)[] = []
    world.store.before = (call) => (call === 'getRange' ? new Promise<void>((resolve) => held.push(resolve)) : undefined)
    for (let tries = 0; tries < 3; tries++) assert.equal((await world.read(partition, 0, { waitMs: 5 })).kind, 'pending')
    assert.equal(held.length, 1, 'one request for the index, however many fetches')
    await world.until(() => held.length >= 2, 'the blocks to be asked for', () => {
      held[0]!()
      void world.read(partition, 0, { waitMs: 1 })
    })
    for (const release of held) release()
    world.store.before = () => TroubledStore.away()
    await world.until(() => world.events.length >= 0, 'a turn')
    assert.equal((await world.read(partition, 0)).kind, 'batches')
  })

  test('a damaged object is refused and not served, and is well again when its bytes are', async () => {
    const world = await open({ limits: { damageHoldMs: 0 } })
    world.seal({ segments: 1 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    world.store.damage = (_, bytes) => {
      if (bytes.length > 900) bytes[900]! ^= 1
      return bytes
    }
    const read = await world.readAll(partition, { offset: 0, end: 50 }).catch((error: Error) => error)
    assert.match(String((read as Error).cause && JSON.stringify((read as Error).cause)), /"refused"/)
    world.store.damage = (_, bytes) => bytes
    assert.ok((await world.readAll(partition, { offset: 0, end: 50 })).equals(world.log.bytesOf(0)))
  })

  test('a byte that no batch\'s checksum covers is found as well, in the object and in the cache on disk', async () => {
    const world = await open({ limits: { damageHoldMs: 0 }, ioLimits: { blockMemoryBytesMax: 1 } })
    world.seal({ segments: 1 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    // The leader epoch of the first batch: 12 to 15.
    world.store.damage = (_, bytes, start) => {
      if (start === 0) bytes[15]! ^= 1
      return bytes
    }
    assert.equal((await world.read(partition, 0)).kind, 'refused')
    world.store.damage = (_, bytes) => bytes
    assert.equal((await world.read(partition, 0)).kind, 'batches')
    const cache = join(world.directory, 'cache')
    await world.until(() => readdirSync(cache).length > 0, 'the block on disk')
    const [name] = readdirSync(cache)
    const bytes = readFileSync(join(cache, name!))
    bytes[15]! ^= 1
    writeFileSync(join(cache, name!), bytes)
    assert.ok((await world.readAll(partition, { offset: 0, end: 50 })).equals(world.log.bytesOf(0)))
  })

  test('an object shorter than its row, or not there, is refused too', async () => {
    const world = await open({ limits: { damageHoldMs: 0 } })
    world.seal({ segments: 1 })
    const partition = await world.lead()
    await world.tieredTo(partition, 50)
    world.store.damage = (_, bytes) => bytes.subarray(0, bytes.length - 1)
    assert.equal((await world.read(partition, 0)).kind, 'refused')
    world.store.damage = (_, bytes) => bytes
    await world.store.delete(await world.store.keys())
    const read = await world.read(partition, 0)
    assert.deepEqual([read.kind, read.kind === 'refused' && read.cause.code], ['refused', 'missing'])
  })

  test('rows that someone else has retired are looked up anew, and what is below the start is known to be', async () => {
    const world = await open({ ioLimits: { blockMemoryBytesMax: 1, blockFileBytesMax: 0 } })
    world.seal({ segments: 3 })
    const partition = await world.lead()
    await world.tieredTo(partition, 150)
    assert.equal((await world.read(partition, 10)).kind, 'batches')
    // As a function that applies retention would do it, behind the leader's back.
    const other = new Manifest({ table: world.table, id: world.log, rowsMax: 4, attemptsMax: 3 })
    await other.refresh()
    await advanceLogStart(other, 100)
    await retireRows(other, 0)
    await deleteRetired(other, { io: world.io, now: 1e15, graceMs: 0, limit: 10 })
    const reads = [await world.read(partition, 70), await world.read(partition, 70), await world.read(partition, 120)]
    assert.deepEqual(reads.map(({ kind }) => kind), ['refused', 'below start', 'batches'])
  })

  test('a segment that is damaged on disk does not go up', async () => {
    const world = await open()
    world.seal({ segments: 1 })
    const path = world.log.segments[0]!.path
    const bytes = readFileSync(path)
    bytes[300]! ^= 4
    writeFileSync(path, bytes)
    const partition = await world.lead()
    partition.sealed()
    await world.until(() => world.events.some(({ kind }) => kind === 'upload failed'), 'the failure')
    const failed = world.events.find((event) => event.kind === 'upload failed')
    assert.equal(failed?.kind === 'upload failed' && failed.error.code, 'damaged')
    assert.deepEqual(await world.store.keys(), [])
    assert.equal(partition.tieredEnd, 0)
  })

  test('readers that need more than the cache holds all get on', async () => {
    const world = await open({ ioLimits: { blockMemoryBytesMax: 8192, blockFileBytesMax: 0, fillsMax: 2 } })
    world.seal({ segments: 8, batches: 40 })
    const partition = await world.lead()
    await world.tieredTo(partition, world.log.endOffset)
    const end = world.log.endOffset
    const starts = Array.from({ length: 10 }, (_, index) => index * 150)
    const reads = await Promise.all(starts.map((offset) => world.readAll(partition, { offset, end, bytesMax: 900 })))
    reads.forEach((read, index) => assert.ok(read.equals(world.log.bytesOf(starts[index]!)), `reader ${index}`))
  })
})
