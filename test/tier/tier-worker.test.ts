import { strict as assert } from 'node:assert'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import type { TierEvent } from '../../broker/tier/tier-events.ts'
import { tierIoLimits } from '../../broker/tier/tier-io.ts'
import { Tier } from '../../broker/tier/tier.ts'
import { TierWorkerClient, type TierWorkerOptions } from '../../broker/tier/tier-worker-client.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { batch } from './batches.ts'
import { FakeLog } from './fake-log.ts'

const root = temporaryDirectory()
let workers = 0

async function start(options: Partial<TierWorkerOptions> = {}) {
  const directory = join(root, String(workers++))
  mkdirSync(directory)
  const faults: string[] = []
  const deaths: Error[] = []
  const limits = { ...tierIoLimits, blockBytes: 4096, readAheadBytes: 0, failureHoldMs: 0 }
  const io = await TierWorkerClient.open({
    store: { kind: 'folder', path: join(directory, 'objects') }, cacheDirectory: join(directory, 'cache'), limits, callsMax: 50,
    onFault: (fault) => faults.push(fault), onDeath: (cause) => deaths.push(cause), ...options,
  })
  const events: TierEvent[] = []
  const tier = new Tier({
    clock: nodeClock, random: nodeRandom, table: new MemoryTable(), io, clusterId: 'c', onEvent: (event) => events.push(event),
  })
  const log = new FakeLog(directory)
  for (let segment = 0; segment < 3; segment++) {
    log.seal(Array.from({ length: 20 }, (_, index) => {
      const baseOffset = 20 * segment + index
      return batch({ baseOffset, timestamps: [1000 + baseOffset], valueBytes: 400 })
    }))
  }
  const partition = tier.open(log)
  const tieredTo = async (offset: number) => {
    for (let turns = 0; partition.tieredEnd < offset; turns++) {
      assert.ok(turns < 2000, `the tier ends at ${partition.tieredEnd}: ${JSON.stringify(events.at(-1))}`)
      await partition.tick(nodeClock.now())
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return { directory, io, tier, log, partition, events, faults, deaths, tieredTo }
}

suite('the tier\'s I/O in its own thread', () => {
  test('uploads, reads, finds timestamps, lists and deletes as it does in one thread', async () => {
    const { directory, io, log, partition, tieredTo, faults, deaths } = await start()
    await tieredTo(60)
    const parts: Buffer[] = []
    for (let offset = 0; offset < 60; ) {
      const deadlineMs = nodeClock.monotonic() + 5000
      const read = await partition.read({ offset, endOffset: 60, bytesMax: 3000, minOneBatch: true, deadlineMs })
      assert.equal(read.kind, 'batches')
      parts.push(...read.batches)
      offset = read.nextOffset
    }
    assert.ok(Buffer.concat(parts).equals(log.bytesOf(0)))
    assert.deepEqual(await partition.offsetForTimestamp(1033), { offset: 33, timestamp: 1033, leaderEpoch: 0 })
    assert.ok(readdirSync(join(directory, 'cache')).length > 0)
    const counts = await io.counts()
    assert.ok(counts.cacheMisses > 0 && counts.fetchedBytes >= log.localBytes)
    const objects = await io.listObjects('v1/c/', { limit: 10 })
    assert.equal(objects.length, 3)
    assert.equal(await io.objectBytes(objects[0]!.key), objects[0]!.length)
    assert.equal((await io.inspect({ key: objects[0]!.key, bytes: objects[0]!.length, readsBatches: true })).footer.baseOffset, 0)
    await io.deleteObjects(objects.map(({ key }) => key))
    assert.equal(await io.objectBytes(objects[0]!.key), undefined)
    await io.close()
    assert.deepEqual([faults, deaths], [[], []])
    await assert.rejects(io.counts(), { code: 'stopped' })
  })

  test('errors keep their code on the way', async () => {
    const { io, log } = await start()
    const job = {
      key: 'v1/c/0000/x', path: join(root, 'nowhere.log'), fileBytes: 1, topicId: log.topicId, partition: 0,
      start: 0, end: 1, epoch: 0, generation: 0,
      sealedAt: 0, epochs: [], producers: Buffer.alloc(0), aborted: [],
    }
    await assert.rejects(io.upload(job), { name: 'TierError', code: 'missing' })
    writeFileSync(job.path, 'this is no batch')
    await assert.rejects(io.upload({ ...job, fileBytes: 16 }), { name: 'TierError', code: 'damaged' })
    await io.close()
  })

  test('a thread that cannot open its store is an error at the start', async () => {
    writeFileSync(join(root, 'file'), '')
    await assert.rejects(start({ store: { kind: 'folder', path: join(root, 'file', 'below') } }), { code: 'stopped' })
  })

  test('more calls than the limit are refused, and the others are answered', async () => {
    const { io } = await start({ callsMax: 2 })
    const calls = await Promise.allSettled([io.counts(), io.counts(), io.counts()])
    assert.deepEqual(calls.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected'])
    assert.equal(calls[2]!.status === 'rejected' && calls[2]!.reason.code, 'busy')
    await io.close()
  })

  test('a thread that dies fails every call under way, says so once, and takes no more', async () => {
    const { io, deaths } = await start({ entry: new URL('./dying-worker.ts', import.meta.url) })
    const calls = await Promise.allSettled([io.counts(), io.listObjects('v1/', { limit: 1 })])
    for (const call of calls) assert.equal(call.status === 'rejected' && call.reason.code, 'stopped')
    assert.equal(deaths.length, 1)
    assert.match(String(deaths[0]!.cause), /nobody expected this/)
    await assert.rejects(io.counts(), { code: 'stopped' })
    await io.close()
    assert.equal(deaths.length, 1)
  })
})
