import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Controller } from '../../broker/cluster/controller.ts'
import { planIsr } from '../../broker/cluster/leadership.ts'
import { sessionsPartition } from '../../broker/cluster/membership.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import type { MetadataRecord } from '../../broker/cluster/metadata-record.ts'
import { PartitionAdmin } from '../../broker/cluster/partition-admin.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import type { Item, Range } from '../../broker/table/table.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { epochOf, partitionOf, rulesOf } from './a-cluster.ts'

const limits = { ttlMs: 3000, renewEveryMs: 750, balanceEveryMs: 1_000_000, movesMax: 16, partitionsPerChangeMax: 2_000 }

/** A table whose answers to looks at sessions may be on their way until `answer`, with what was there when they were asked. */
class SlowTable extends MemoryTable {
  isSlow = false
  readonly #onTheirWay: (() => void)[] = []

  override async query(partition: string, range?: Range): Promise<Item[]> {
    const answer = super.query(partition, range)
    if (this.isSlow && partition === sessionsPartition) await new Promise<void>((resolve) => this.#onTheirWay.push(resolve))
    return answer
  }

  async answer(): Promise<void> {
    this.isSlow = false
    for (const arrive of this.#onTheirWay.splice(0)) arrive()
    for (let turns = 0; turns < 5; turns++) await turn()
  }
}

/** Brokers 1 to 3, whose sessions are renewed when a test says so, and a partition on 1 and 2 that is to move to 3. */
async function world() {
  const [table, clock] = [new SlowTable(), new ManualClock()]
  const open = () => MetadataLog.open({ table, itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000 })
  const metadata = await open()
  const append = (...records: MetadataRecord[]) => metadata.change(() => ({ records, answer: undefined }))
  const renew = (brokerId: number) => table.commit([
    { kind: 'put', key: { partition: sessionsPartition, sort: `${brokerId}` }, value: { holder: 'i', facts: null }, expect: 'any' },
  ])
  const register = async (brokerId: number) => {
    await renew(brokerId)
    await append({ type: 'brokerRegistered', brokerId, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack: null })
  }
  for (const brokerId of [1, 2, 3]) await register(brokerId)
  await append({ type: 'topicCreated', topicId: 't', name: 't' }, newPartition('t', 0, [1, 2]))
  const faults: unknown[] = []
  const controller = ({ incarnation = 'c', hasSession = (): boolean => true } = {}) => new Controller({
    table, clock, metadata, incarnation, limits, rulesOf, hasSession, isRebalancing: () => false, onFault: (cause) => faults.push(cause),
    onFenced() {}, onDraining() {},
  })
  const admin = new PartitionAdmin({ metadata, rulesOf, partitionsPerChangeMax: 10 })
  const begin = () => admin.reassign([{ topic: 't', partition: 0, replicas: [3, 2] }], { mayChangeFactor: true })
  /** The leader has seen broker 3 catch up. */
  const join = async () => {
    const { leader, leaderEpoch, partitionEpoch } = partitionOf(metadata.image)
    const isr = [1, 2, 3].map((id) => epochOf(metadata.image, id))
    const record = planIsr(metadata.image, { topicId: 't', partition: 0, leader, leaderEpoch, partitionEpoch, isr })
    assert.ok(typeof record !== 'string')
    await append(record)
  }
  const fenced = () => [...metadata.image.brokers.values()].filter(({ isFenced }) => isFenced).map(({ brokerId }) => brokerId)
  return { table, metadata, clock, controller, begin, join, register, renew, fenced, faults }
}

test('the controller ends a reassignment at once when its last copy is in sync', async () => {
  const { metadata, clock, controller, begin, join, faults } = await world()
  const active = controller()
  await clock.advance(0)
  assert.equal(active.isActive, true)
  await begin()
  await join()
  for (let turns = 0; turns < 5; turns++) await turn()
  assert.deepEqual([partitionOf(metadata.image).replicas, partitionOf(metadata.image).leader], [[3, 2], 3])
  assert.deepEqual(faults, [])
  void active.stop()
  await clock.advance(1000)
})

test('a broker that takes the duty over ends what was left to be ended', async () => {
  const { metadata, clock, controller, begin, join } = await world()
  await begin()
  await join()
  assert.deepEqual(partitionOf(metadata.image).replicas, [3, 2, 1])
  const active = controller()
  await clock.advance(0)
  assert.deepEqual([partitionOf(metadata.image).replicas, partitionOf(metadata.image).leader], [[3, 2], 3])
  void active.stop()
  await clock.advance(1000)
})

test('a broker that registers while the sessions are looked at is not judged by that look', async () => {
  const { table, clock, controller, register, fenced, faults } = await world()
  const active = controller()
  await clock.advance(0)
  table.isSlow = true
  await clock.advance(limits.renewEveryMs)
  await register(4)
  await table.answer()
  assert.equal(active.isActive, true)
  assert.deepEqual(fenced(), [])
  assert.deepEqual(faults, [])
  void active.stop()
  await clock.advance(1000)
})

test('a session is over by a look that was sent after its end, not by one whose answer came after', async () => {
  const { table, clock, controller, renew, fenced } = await world()
  const active = controller()
  await clock.advance(limits.ttlMs - limits.renewEveryMs - 1)
  table.isSlow = true
  await clock.advance(limits.renewEveryMs)
  // Carried out behind the look, and answered before the session's end.
  for (const brokerId of [1, 2]) await renew(brokerId)
  await clock.advance(10)
  await table.answer()
  assert.deepEqual(fenced(), [])
  await clock.advance(limits.renewEveryMs)
  assert.deepEqual(fenced(), [3])
  void active.stop()
  await clock.advance(1000)
})

test('a broker that renews its session between the look and the fence is not taken for dead by it', async () => {
  const { table, clock, metadata, controller, renew, faults } = await world()
  const query = table.query.bind(table)
  table.query = async (partition, range) => {
    const items = await query(partition, range)
    if (partition !== sessionsPartition) return items
    for (const brokerId of clock.monotonic() < limits.ttlMs ? [1, 3] : [1, 2, 3]) await renew(brokerId)
    return items
  }
  const active = controller()
  await clock.advance(3 * limits.ttlMs)
  assert.deepEqual([1, 2, 3].map((id) => metadata.image.brokers.get(id)!.isFenced), [false, false, false])
  assert.deepEqual(faults, [])
  void active.stop()
  await clock.advance(1000)
})

test('a broker that has left has the duty no more, and another one takes it at once', async () => {
  const { clock, controller, renew, fenced, faults } = await world()
  let hasSession = true
  const left = controller({ incarnation: 'left', hasSession: () => hasSession })
  await clock.advance(0)
  const next = controller({ incarnation: 'next' })
  await clock.advance(2 * limits.renewEveryMs)
  assert.deepEqual([left.isActive, next.isActive], [true, false])
  hasSession = false
  // Each looks once: the one gives it up, the other one finds it free.
  await clock.advance(limits.renewEveryMs + 1)
  assert.deepEqual([left.isActive, next.isActive], [false, true])
  for (let waited = 0; waited < 2 * limits.ttlMs; waited += limits.renewEveryMs) {
    for (const brokerId of [1, 2]) await renew(brokerId)
    await clock.advance(limits.renewEveryMs)
  }
  assert.deepEqual([left.isActive, next.isActive, fenced()], [false, true, [3]])
  assert.deepEqual(faults, [])
  for (const one of [left, next]) void one.stop()
  await clock.advance(1000)
})
