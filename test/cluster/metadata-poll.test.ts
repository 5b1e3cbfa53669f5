import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { MetadataPoll } from '../../broker/cluster/metadata-poll.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'

function world(refresh?: () => Promise<void>) {
  const clock = new ManualClock()
  const looks: number[] = []
  const faults: unknown[] = []
  const start = clock.monotonic()
  const metadata = { refresh: () => (looks.push(clock.monotonic() - start), refresh?.() ?? Promise.resolve()) }
  const poll = new MetadataPoll({ metadata, clock, everyMs: 500, everyMsMin: 50, onFault: (cause) => faults.push(cause) })
  return { clock, looks, faults, poll, live: async (ms: number) => { for (let at = 0; at < ms; at += 10) await clock.advance(10) } }
}

test('it looks in regular intervals, also after a look that failed', async () => {
  const { looks, faults, poll, live } = world(() => Promise.reject(new Error('away')))
  await live(1600)
  assert.deepEqual(looks, [500, 1000, 1500])
  assert.equal(faults.length, 3)
  await poll.stop()
})

test('a hint makes it look at once, and a flood of hints not more often than it may', async () => {
  const { looks, poll, live } = world()
  await live(100)
  poll.lookNow()
  await live(10)
  assert.equal(looks.length, 1)
  for (let hints = 0; hints < 200; hints++) {
    poll.lookNow()
    await live(10)
  }
  assert.ok(looks.length >= 20 && looks.length <= 42, `${looks.length} looks in two seconds`)
  await poll.stop()
})

test('a hint that comes while a look is under way leads to another one', async () => {
  const held: (() => void)[] = []
  const { looks, poll, live } = world(() => new Promise((resolve) => held.push(resolve)))
  poll.lookNow()
  await live(10)
  poll.lookNow()
  await live(200)
  assert.equal(looks.length, 1)
  held[0]!()
  await live(60)
  assert.equal(looks.length, 2)
  held[1]!()
  await poll.stop()
})

test('what one broker appends is in the image of another one that was told to look', async () => {
  const table = new MemoryTable()
  const clock = new ManualClock()
  const open = () => MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 10, itemsPerSnapshot: 1_000 })
  const [writer, reader] = [await open(), await open()]
  const poll = new MetadataPoll({ metadata: reader, clock, everyMs: 500, everyMsMin: 50, onFault: assert.ifError })
  await writer.change(() => ({ records: [{ type: 'topicCreated', topicId: 't', name: 'one' }], answer: undefined }))
  poll.lookNow()
  await clock.advance(1)
  assert.deepEqual(reader.image, writer.image)
  await poll.stop()
})
