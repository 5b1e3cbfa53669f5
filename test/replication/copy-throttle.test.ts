import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CopyThrottle, namesReplica } from '../../broker/replication/copy-throttle.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import { LogWorld } from '../log/log-world.ts'
import { aLeadingPartition } from '../support/a-leading-partition.ts'
import { ManualClock } from '../support/manual-clock.ts'

async function throttled({ bytesPerSecond }: { bytesPerSecond: number }) {
  const clock = new ManualClock()
  const partition = await aLeadingPartition({ topicId: 't', log: await new LogWorld().open(), clock, leaderEpoch: 0 })
  const slow = new Set<Partition>([partition])
  const rate = { bytesPerSecond }
  const throttle = new CopyThrottle({ clock, bytesPerSecond: () => rate.bytesPerSecond, concerns: (one) => slow.has(one) })
  return { clock, throttle, partition, slow, rate, isHeld: () => throttle.held()(partition) }
}

test('what was taken beyond the rate is waited for, as long as the rate needs for it', async () => {
  const { clock, throttle, partition, isHeld } = await throttled({ bytesPerSecond: 1_000 })
  assert.equal(isHeld(), false)
  throttle.took(partition, 5_000)
  assert.equal(isHeld(), true)
  await clock.advance(4_000)
  assert.equal(isHeld(), true)
  await clock.advance(1)
  assert.equal(isHeld(), false)
})

test('what was not taken for a long time may not all be taken at once', async () => {
  const { clock, throttle, partition, isHeld } = await throttled({ bytesPerSecond: 1_000 })
  await clock.advance(3_600_000)
  assert.equal(isHeld(), false)
  throttle.took(partition, 1_000)
  assert.equal(isHeld(), true)
})

test('a copy that is not, or no more, one of those that are slowed down is neither counted nor held', async () => {
  const { throttle, partition, slow, isHeld } = await throttled({ bytesPerSecond: 1_000 })
  assert.equal(isHeld(), false)
  throttle.took(partition, 5_000)
  slow.clear()
  assert.equal(isHeld(), false)
  slow.add(partition)
  assert.equal(isHeld(), true)
})

test('without a rate nothing is held, and a rate that is taken away lets go at once', async () => {
  const { throttle, partition, rate, isHeld } = await throttled({ bytesPerSecond: 1_000 })
  assert.equal(isHeld(), false)
  throttle.took(partition, 5_000)
  assert.equal(isHeld(), true)
  rate.bytesPerSecond = Number('9223372036854775807')
  assert.equal(isHeld(), false)
})

test('a replica is named by its partition and broker, or with all others', () => {
  const replica = { partition: 1, brokerId: 12 }
  assert.equal(namesReplica(['0:12', '1:12'], replica), true)
  assert.equal(namesReplica(['1:1', '11:12', '1:2'], replica), false)
  assert.equal(namesReplica(['*'], replica), true)
  assert.equal(namesReplica([], replica), false)
})
