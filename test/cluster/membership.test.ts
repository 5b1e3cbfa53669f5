import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planFence, planRegistration } from '../../broker/cluster/leadership.ts'
import { Membership } from '../../broker/cluster/membership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { epochOf, registration, rulesOf } from './a-cluster.ts'

const limits = { ttlMs: 3_000, renewEveryMs: 750, unfenceAfterMs: 1_000, partitionsPerChangeMax: 2_000 }

/** Starts of broker 1 on one table. */
async function world() {
  const [table, clock] = [new MemoryTable(), new ManualClock()]
  const metadata = await MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  const replaced: string[] = []
  const start = async (incarnation: string) => {
    const member = await Membership.begin({
      table, clock, metadata, brokerId: 1, incarnation, limits, rulesOf,
      onFault: (cause) => assert.fail(String(cause)), onReplaced: () => replaced.push(incarnation),
    })
    await metadata.change((image) => ({
      records: planRegistration(image, registration(1, { incarnation }), rulesOf), answer: undefined,
    }))
    member.registered(metadata.image.brokers.get(1)!.brokerEpoch)
    return member
  }
  const fence = () => metadata.change((image) => ({ records: planFence(image, epochOf(image, 1), rulesOf), answer: undefined }))
  return { table, clock, metadata, replaced, start, fence, isFenced: () => metadata.image.brokers.get(1)!.isFenced }
}

test('a session is held as long as its broker lives, and no more once it has ended in order', async () => {
  const { clock, replaced, start } = await world()
  const member = await start('a')
  for (let looks = 0; looks < 10; looks++) {
    await clock.advance(limits.ttlMs - 1)
    assert.equal(member.isHeld, true)
  }
  await member.end()
  assert.equal(member.isHeld, false)
  await clock.advance(60_000)
  assert.deepEqual(replaced, [], 'who ends by itself was not replaced')
})

test('a broker that was taken for dead asks to serve again, and not before it has waited', async () => {
  const { clock, metadata, start, fence, isFenced } = await world()
  const member = await start('a')
  const { brokerEpoch } = member
  await fence()
  await clock.advance(limits.renewEveryMs + limits.unfenceAfterMs - 1)
  assert.equal(isFenced(), true)
  await clock.advance(limits.renewEveryMs)
  assert.equal(isFenced(), false)
  assert.equal(metadata.image.brokers.get(1)!.brokerEpoch, brokerEpoch, 'it is the same start')
  await member.end()
})

test('each time that it is taken for dead, it waits anew', async () => {
  const { clock, start, fence, isFenced } = await world()
  const member = await start('a')
  await fence()
  await clock.advance(5_000)
  assert.equal(isFenced(), false)
  await fence()
  await clock.advance(limits.renewEveryMs)
  assert.equal(isFenced(), true)
  await clock.advance(5_000)
  assert.equal(isFenced(), false)
  await member.end()
})

test('a later start of the same broker takes its place, and the earlier one is told, and does not take it back', async () => {
  const { clock, metadata, replaced, start } = await world()
  const first = await start('a')
  const second = await start('b')
  assert.ok(second.brokerEpoch > first.brokerEpoch)
  await clock.advance(limits.ttlMs)
  assert.ok(replaced.length > 0 && replaced.every((incarnation) => incarnation === 'a'), replaced.join())
  assert.deepEqual([first.isHeld, second.isHeld], [false, true])
  assert.equal(metadata.image.brokers.get(1)!.incarnation, 'b')
  await Promise.all([first.end(), second.end()])
})

test('a broker that an operator took out is told so', async () => {
  const { clock, metadata, replaced, start, fence } = await world()
  const member = await start('a')
  await fence()
  const { brokerEpoch } = metadata.image.brokers.get(1)!
  await metadata.change(() => ({ records: [{ type: 'brokerRemoved', brokerId: 1, brokerEpoch }], answer: undefined }))
  await clock.advance(limits.renewEveryMs)
  assert.equal(replaced[0], 'a')
  await member.end()
})
