import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image } from '../../broker/cluster/image.ts'
import { fold } from '../../broker/cluster/image.ts'
import type { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { planFence, planIsr } from '../../broker/cluster/leadership.ts'
import { planFinishedReassignments } from '../../broker/cluster/reassignment.ts'
import { type DrainReport, ReplicaMover } from '../../broker/cluster/replica-mover.ts'
import { apply, clusterIn, counted, epochOf, rulesOf, withSetting, withTopic } from './a-cluster.ts'

function world(before: Image, { isRebalancing = false } = {}) {
  let image = before
  let changes = 0
  const reports: DrainReport[] = []
  const metadata: Pick<MetadataLog, 'image' | 'change'> = {
    get image() {
      return image
    },
    async change(decide) {
      changes++
      const { records, answer } = decide(image)
      image = fold(image, image.sequence + 1, records)
      return answer
    },
  }
  const mover = new ReplicaMover({
    metadata, rulesOf, movesMax: 2, reportEveryMs: 1_000, isRebalancing: () => isRebalancing, onDraining: (report) => reports.push(report),
  })
  /** All copies catch up, and those that they replace leave. */
  const copied = () => {
    for (const { id: topicId, partitions } of image.topics.values()) {
      for (const { partition, leader, leaderEpoch, partitionEpoch, replicas } of partitions) {
        const record = planIsr(image, { topicId, partition, leader, leaderEpoch, partitionEpoch, isr: replicas.map((id) => epochOf(image, id)) })
        if (typeof record !== 'string') image = apply(image, [record])
      }
    }
    image = apply(image, planFinishedReassignments(image, rulesOf))
  }
  const set = (broker: string, name: string, value: string | null) => (image = withSetting(image, broker, name, value))
  const placed = () => [...image.topics.values()].flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas))
  const fence = (broker: number) => (image = apply(image, planFence(image, image.brokers.get(broker)!, rulesOf)))
  return { mover, reports, copied, set, fence, placed, changes: () => changes }
}

test('a broker is emptied a few partitions at a time, and it is told how far that is', async () => {
  const { mover, reports, copied, set, placed } = world(withTopic(clusterIn([null, null, null]), 't', [[1, 2], [1, 2], [1, 3]]))
  set('1', 'broker.drain', 'true')
  await mover.look(0)
  assert.deepEqual(placed(), [[3, 2, 1], [3, 2, 1], [1, 3]])
  await mover.look(1_000)
  copied()
  await mover.look(2_000)
  assert.deepEqual(placed(), [[3, 2], [3, 2], [2, 3, 1]])
  copied()
  assert.deepEqual(placed(), [[3, 2], [3, 2], [2, 3]])
  for (const now of [2_500, 3_000, 4_000]) await mover.look(now)
  assert.deepEqual(reports, [
    { brokerId: 1, left: 3, moving: 0, hanging: 0, leads: 3, stuck: 0 },
    { brokerId: 1, left: 3, moving: 2, hanging: 0, leads: 3, stuck: 0 },
    { brokerId: 1, left: 1, moving: 0, hanging: 0, leads: 1, stuck: 0 },
    { brokerId: 1, left: 0, moving: 0, hanging: 0, leads: 0, stuck: 0 },
  ])
})

test('what nobody else can take stays, and is counted', async () => {
  const { mover, reports, set, placed, changes } = world(withTopic(clusterIn([null, null]), 't', [[1, 2]]))
  set('1', 'broker.drain', 'true')
  await mover.look(0)
  await mover.look(500)
  assert.deepEqual([placed(), changes()], [[[1, 2]], 0])
  assert.deepEqual(reports, [{ brokerId: 1, left: 1, moving: 0, hanging: 0, leads: 1, stuck: 1 }])
})

test('where the broker dies that all moves go to, they go to another one', async () => {
  const busy = withTopic(clusterIn([null, null, null, null]), 'u', [[3], [3], [3], [3]])
  const { mover, reports, copied, set, fence, placed } = world(withTopic(busy, 't', [[1, 2], [1, 2], [1, 2]]))
  set('1', 'broker.drain', 'true')
  await mover.look(0)
  assert.deepEqual(placed().slice(4), [[4, 2, 1], [4, 2, 1], [1, 2]])
  fence(4)
  await mover.look(1_000)
  assert.deepEqual(placed().slice(4), [[3, 2, 1], [3, 2, 1], [1, 2]])
  await mover.look(2_000)
  copied()
  await mover.look(2_500)
  copied()
  assert.deepEqual(placed().slice(4), [[3, 2], [3, 2], [3, 2]])
  assert.deepEqual(reports.map(({ moving, hanging }) => [moving, hanging]), [[0, 0], [0, 2], [2, 0]])
})

test('two brokers that have the same partition are emptied one after the other', async () => {
  const { mover, copied, set, placed } = world(withTopic(clusterIn([null, null, null, null]), 't', [[1, 2]]))
  set('1', 'broker.drain', 'true')
  set('2', 'broker.drain', 'true')
  await mover.look(0)
  copied()
  await mover.look(1)
  copied()
  assert.deepEqual(placed(), [[3, 4]])
})

test('replicas go to a new broker where that is wanted, and otherwise stay', async () => {
  const crowded = withTopic(clusterIn([null, null]), 't', [[1], [1], [1], [1], [1], [1]])
  const still = world(crowded)
  await still.mover.look(0)
  assert.equal(still.changes(), 0)
  const wanted = world(crowded, { isRebalancing: true })
  for (let round = 0; round < 5; round++) {
    await wanted.mover.look(round)
    wanted.copied()
  }
  assert.deepEqual(wanted.placed().flat().sort(), [1, 1, 1, 2, 2, 2])
})

test('what was planned on an image is done without a second plan, and what is reported follows from the same', async () => {
  const partitions = 9_000
  for (const isRebalancing of [false, true]) {
    const replicas = Array.from({ length: partitions }, (_, index) => [1 + index % 2])
    const { image, looks } = counted(withTopic(clusterIn([null, null, null]), 't', replicas))
    const { mover, reports, set, changes } = world(image, { isRebalancing })
    if (!isRebalancing) set('1', 'broker.drain', 'true')
    await mover.look(0)
    assert.deepEqual([changes(), reports.length], [1, isRebalancing ? 0 : 1])
    assert.ok(looks() < 4 * partitions, `${looks()} looks`)
    const before = looks()
    await mover.look(1)
    await mover.look(1_000)
    assert.equal(changes(), 1)
    assert.ok(looks() - before < 2 * partitions, `${looks() - before} looks`)
  }
})
