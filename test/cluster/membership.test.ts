import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planFence, planRegistration } from '../../broker/cluster/leadership.ts'
import { Membership } from '../../broker/cluster/membership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { type CommitResult, type Item, type Range, TableError, type Write } from '../../broker/table/table.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { epochOf, registration, rulesOf } from './a-cluster.ts'

const limits = { ttlMs: 3_000, renewEveryMs: 750, unfenceAfterMs: 1_000 }

/** A table whose writes may fail, and whose answers to queries may be on their way until `answer`. */
class TroubledTable extends MemoryTable {
  isAway = false
  isSilent = false
  readonly #onTheirWay: (() => void)[] = []

  override async query(partition: string, range?: Range): Promise<Item[]> {
    const answer = super.query(partition, range)
    if (this.isSilent) await new Promise<void>((resolve) => this.#onTheirWay.push(resolve))
    return answer
  }

  override async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (this.isAway) throw new TableError('away', 'it is')
    return super.commit(writes)
  }

  /** The queries that were sent so far are answered with what was there when they were. */
  async answer(): Promise<void> {
    for (const arrive of this.#onTheirWay.splice(0)) arrive()
    await turn()
  }
}

/** Starts of broker 1 on one table, and what another broker, which has no session here, writes into it. */
async function world() {
  const [table, clock] = [new TroubledTable(), new ManualClock()]
  const open = () => MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  const metadata = await open()
  const replaced: string[] = []
  const faults: unknown[] = []
  const start = async (incarnation: string) => {
    const member = await Membership.begin({
      table, clock, metadata, brokerId: 1, incarnation, limits, rulesOf,
      onFault: (cause) => faults.push(cause), onReplaced: () => replaced.push(incarnation),
    })
    await metadata.change((image) => ({
      records: planRegistration(image, registration(1, { incarnation }), rulesOf), answer: undefined,
    }))
    member.registered(metadata.image.brokers.get(1)!.brokerEpoch)
    return member
  }
  const fence = (by = metadata) => by.change((image) => ({ records: planFence(image, epochOf(image, 1), rulesOf), answer: undefined }))
  const fenceElsewhere = async () => fence(await open())
  return { table, clock, metadata, replaced, faults, start, fence, fenceElsewhere, isFenced: () => metadata.image.brokers.get(1)!.isFenced }
}

test('a session is held as long as its broker lives, and no more once it has ended in order', async () => {
  const { clock, replaced, faults, start } = await world()
  const member = await start('a')
  for (let looks = 0; looks < 10; looks++) {
    await clock.advance(limits.ttlMs - 1)
    assert.equal(member.isHeld, true)
  }
  await member.end()
  assert.equal(member.isHeld, false)
  await clock.advance(60_000)
  assert.deepEqual(replaced, [], 'who ends by itself was not replaced')
  assert.deepEqual(faults, [])
})

test('a session that had lapsed does not count before the broker knows what was done meanwhile', async () => {
  const { table, clock, metadata, start, fenceElsewhere, isFenced } = await world()
  const member = await start('a')
  // A look that was sent before, over a connection on which nothing comes back.
  table.isSilent = true
  const before = metadata.refresh()
  await turn()
  table.isSilent = false
  table.isAway = true
  await clock.advance(limits.ttlMs)
  assert.equal(member.isHeld, false)
  table.isAway = false
  await fenceElsewhere()
  await clock.advance(limits.renewEveryMs)
  assert.equal(isFenced(), false, 'it has not heard of it')
  assert.equal(member.isHeld, false)
  table.isSilent = true
  await table.answer()
  await before
  assert.equal(member.isHeld, false, 'that look began before the session was there again')
  table.isSilent = false
  await table.answer()
  assert.equal(isFenced(), true)
  assert.equal(member.isHeld, true)
  await clock.advance(10_000)
  assert.deepEqual([isFenced(), member.isHeld], [false, true])
  await member.end()
})

test('what was done while a session had lapsed is looked at until that succeeds', async () => {
  const { table, clock, faults, start, fenceElsewhere } = await world()
  const member = await start('a')
  table.isAway = true
  await clock.advance(limits.ttlMs)
  table.isAway = false
  await fenceElsewhere()
  const query = table.query.bind(table)
  table.query = async () => { throw new TableError('away', 'for queries') }
  await clock.advance(10_000)
  assert.equal(member.isHeld, false)
  assert.ok(faults.length > 3)
  table.query = query
  await clock.advance(limits.renewEveryMs)
  assert.equal(member.isHeld, true)
  await member.end()
})

test('a session that was renewed in time counts without a look', async () => {
  const { table, clock, start } = await world()
  const member = await start('a')
  table.isSilent = true
  table.isAway = true
  await clock.advance(limits.ttlMs - limits.renewEveryMs - 1)
  table.isAway = false
  for (let looks = 0; looks < 10; looks++) {
    await clock.advance(limits.renewEveryMs)
    assert.equal(member.isHeld, true)
  }
  await member.end()
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
