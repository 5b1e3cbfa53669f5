import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyImage, fold, type Image } from '../../broker/cluster/image.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { LogError } from '../../broker/log/log-error.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import { Partitions } from '../../broker/replication/partitions.ts'
import { DiskError } from '../../broker/runtime/disk.ts'

const away = new DiskError('read', '/data', { code: 'EIO' })

function created(image: Image, name: string): Image {
  return fold(image, image.sequence + 1, [{ type: 'topicCreated', topicId: name, name }, newPartition(name, 0, [1])])
}

/** Broker 1, whose opening of a topic fails with what stands for it in `faults`. */
function world() {
  const faults = new Map<string, Error>()
  const opened: string[] = []
  const removed: string[] = []
  const stuck = new Map<string, Error>()
  const slow = new Map<string, Promise<void>>()
  const slowToOpen = new Map<string, Promise<void>>()
  const left: unknown[] = []
  const told: unknown[] = []
  const stopped = new Set<string>()
  const partitions = new Partitions({
    brokerId: 1, openingMax: 4,
    async open(topic) {
      await new Promise((resolve) => setImmediate(resolve))
      await slowToOpen.get(topic.name)
      opened.push(topic.name)
      const fault = faults.get(topic.name)
      if (fault !== undefined) throw fault
      const log = {
        get isStopped() {
          return stopped.has(topic.name)
        },
      }
      return { leaderEpoch: 0, topicId: topic.id, topicName: topic.name, partition: 0, role: { kind: 'leads' }, log, assume: async () => {}, retire() {} } as unknown as Partition
    },
    async close() {},
    async remove({ topicName }) {
      const fault = stuck.get(topicName)
      if (fault !== undefined) throw fault
      await slow.get(topicName)
      removed.push(topicName)
    },
    onFault: (_topic, _partition, cause) => told.push(cause),
    onLeftBehind: ({ topicName }, cause) => left.push([topicName, cause]),
  })
  const follow = async (image: Image) => {
    partitions.follow(image)
    await partitions.settled(image.sequence)
  }
  return { faults, opened, removed, stuck, slow, slowToOpen, left, told, stopped, partitions, follow }
}

test('a partition that could not be opened is offline, and serves once it can be', async () => {
  const { faults, opened, told, partitions, follow } = world()
  faults.set('orders', away)
  await follow(created(emptyImage, 'orders'))
  assert.equal(partitions.leader('orders', 0), ErrorCode.KAFKA_STORAGE_ERROR)
  await partitions.reopen()
  assert.equal(partitions.offlineCount, 1)
  assert.deepEqual(told, [away, away])
  faults.clear()
  await partitions.reopen()
  assert.equal(partitions.offlineCount, 0)
  assert.equal(typeof partitions.leader('orders', 0), 'object')
  await partitions.reopen()
  assert.deepEqual(opened, ['orders', 'orders', 'orders'], 'what is open is left alone')
})

test('a partition whose log has stopped is offline too, and whoever looks at the count sees it', async () => {
  const { faults, stopped, partitions, follow } = world()
  faults.set('orders', away)
  await follow(created(created(emptyImage, 'orders'), 'payments'))
  assert.equal(partitions.offlineCount, 1)
  stopped.add('payments')
  assert.equal(partitions.offlineCount, 2)
  assert.equal(partitions.brokenness('orders', 0), 'away')
  assert.equal(partitions.brokenness('payments', 0), 'lost')
})

test('a partition that is still being opened is not led yet, and its topic is known already', async () => {
  const { partitions } = world()
  const image = created(emptyImage, 'orders')
  partitions.follow(image)
  assert.equal(partitions.leader('orders', 0), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.equal(partitions.leader('orders', 1), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(partitions.leader('payments', 0), ErrorCode.UNKNOWN_TOPIC_ID)
  await partitions.settled(image.sequence)
  assert.equal(typeof partitions.leader('orders', 0), 'object')
})

test('one whose files contradict themselves waits for a person', async () => {
  const { faults, opened, partitions, follow } = world()
  faults.set('orders', new LogError('quarantined', '/data', 'a batch at byte 7 is none'))
  await follow(created(emptyImage, 'orders'))
  await partitions.reopen()
  assert.deepEqual(opened, ['orders'])
  assert.equal(partitions.offlineCount, 1)
})

test('images that come while partitions are opened again are carried out', async () => {
  const { faults, opened, partitions, follow } = world()
  faults.set('orders', away)
  const first = created(emptyImage, 'orders')
  await follow(first)
  const second = created(first, 'payments')
  const reopening = partitions.reopen()
  await Promise.all([follow(second), reopening])
  assert.deepEqual(opened, ['orders', 'orders', 'payments'])
  assert.equal(typeof partitions.leader('payments', 0), 'object')
  await follow(fold(second, second.sequence + 1, [{ type: 'topicDeleted', topicId: 'orders' }]))
  assert.equal(partitions.offlineCount, 0, 'what was deleted is no longer missed')
  await partitions.reopen()
  assert.equal(opened.length, 3)
})

test('who changed nothing while partitions are opened again is answered once they are', async () => {
  const { faults, slowToOpen, partitions, follow } = world()
  faults.set('orders', away)
  const image = created(emptyImage, 'orders')
  await follow(image)
  const disk = Promise.withResolvers<void>()
  slowToOpen.set('orders', disk.promise)
  const reopening = partitions.reopen()
  let isSettled = false
  const settled = partitions.settled(image.sequence).then(() => (isSettled = true))
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(isSettled, false)
  disk.resolve()
  await Promise.all([reopening, settled])
})

/** The partition of a topic, with these replicas. */
function moved(image: Image, name: string, replicas: readonly number[]): Image {
  const partition = image.topics.get(name)!.partitions[0]!
  const record = { type: 'partitionChanged' as const, topicId: name, ...partition, replicas, partitionEpoch: partition.partitionEpoch + 1 }
  return fold(image, image.sequence + 1, [record])
}

test('a replica that is reassigned to others is removed when it has left, and not while it is on its way out', async () => {
  const { opened, removed, partitions, follow } = world()
  const alone = created(emptyImage, 'orders')
  await follow(alone)
  const leaving = moved(alone, 'orders', [2, 1])
  await follow(leaving)
  assert.deepEqual(removed, [])
  const left = moved(leaving, 'orders', [2])
  await follow(left)
  assert.deepEqual(removed, ['orders'])
  assert.equal(partitions.leader('orders', 0), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await follow(moved(left, 'orders', [2, 1]))
  assert.deepEqual(opened, ['orders', 'orders'], 'it is taken again, as a new copy')
})

test('a replica that was taken back before this broker looked keeps what it has', async () => {
  const { opened, removed, partitions } = world()
  const alone = created(emptyImage, 'orders')
  partitions.follow(alone)
  // All of it is known before the first is carried out: only the newest counts.
  const left = moved(alone, 'orders', [2])
  const back = moved(left, 'orders', [2, 1])
  partitions.follow(left)
  partitions.follow(back)
  await partitions.settled(back.sequence)
  assert.deepEqual([opened, removed], [['orders'], []])
})

test('files that cannot be removed hold up nobody: the rest of the image is carried out, and so are later ones', async () => {
  const { opened, removed, stuck, left, partitions, follow } = world()
  const both = created(created(emptyImage, 'orders'), 'payments')
  await follow(both)
  stuck.set('orders', away)
  const deleted = fold(both, both.sequence + 1, [{ type: 'topicDeleted', topicId: 'orders' }, { type: 'topicDeleted', topicId: 'payments' }])
  await follow(created(deleted, 'refunds'))
  assert.deepEqual([left, removed], [[['orders', away]], ['payments']])
  assert.equal(partitions.leader('orders', 0), ErrorCode.UNKNOWN_TOPIC_ID)
  await follow(created(created(deleted, 'refunds'), 'audits'))
  assert.deepEqual(opened, ['orders', 'payments', 'refunds', 'audits'])
  await partitions.close()
})

/** A replica of `orders` is on its way out, and gone once its bucket answers. */
async function leaving({ slow, follow }: Pick<ReturnType<typeof world>, 'slow' | 'follow'>) {
  const bucket = Promise.withResolvers<void>()
  slow.set('orders', bucket.promise)
  const alone = created(emptyImage, 'orders')
  await follow(alone)
  const left = moved(alone, 'orders', [2])
  await follow(left)
  return { left, bucket }
}

test('a replica that is slow to go holds up only who wants that one back', async () => {
  const { opened, removed, slow, partitions, follow } = world()
  const { left, bucket } = await leaving({ slow, follow })
  const more = created(left, 'payments')
  await follow(more)
  assert.equal(typeof partitions.leader('payments', 0), 'object', 'the next topic is served meanwhile')
  const back = moved(more, 'orders', [2, 1])
  await follow(back)
  assert.deepEqual([opened, removed], [['orders', 'payments'], []], 'not beside the copy that is still being removed')
  assert.equal(partitions.leader('orders', 0), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  await follow(created(back, 'refunds'))
  assert.equal(typeof partitions.leader('refunds', 0), 'object', 'nor does it hold up what comes after it')
  bucket.resolve()
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual([opened, removed], [['orders', 'payments', 'refunds', 'orders'], ['orders']])
  assert.equal(typeof partitions.leader('orders', 0), 'object')
})

test('a replica that was wanted back while it went, and is not any more when it has gone, is not opened', async () => {
  const { opened, removed, slow, partitions, follow } = world()
  const { left, bucket } = await leaving({ slow, follow })
  const back = moved(left, 'orders', [2, 1])
  await follow(back)
  await follow(moved(back, 'orders', [2]))
  bucket.resolve()
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual([opened, removed], [['orders'], ['orders']])
  await partitions.close()
})

test('closing opens nothing that was wanted back while it went', async () => {
  const { opened, removed, slow, partitions, follow } = world()
  const { left, bucket } = await leaving({ slow, follow })
  await follow(moved(left, 'orders', [2, 1]))
  const closing = partitions.close()
  bucket.resolve()
  await closing
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual([opened, removed], [['orders'], ['orders']])
})

test('closing waits for what is being removed', async () => {
  const { removed, slow, partitions, follow } = world()
  const { bucket } = await leaving({ slow, follow })
  const closing = partitions.close().then(() => removed.push('closed'))
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(removed, [])
  bucket.resolve()
  await closing
  assert.deepEqual(removed, ['orders', 'closed'])
})

test('closing waits for what is being opened again, and opens no more', async () => {
  const { faults, opened, slowToOpen, partitions, follow } = world()
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const name of names) faults.set(name, away)
  await follow(names.reduce(created, emptyImage))
  opened.length = 0
  faults.clear()
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const name of names) slowToOpen.set(name, promise)
  const reopening = partitions.reopen()
  let isClosed = false
  const closing = partitions.close().then(() => { isClosed = true })
  await new Promise((passed) => setImmediate(passed))
  assert.equal(isClosed, false)
  resolve()
  await Promise.all([closing, reopening])
  assert.deepEqual(opened, ['a', 'b', 'c', 'd'])
})
