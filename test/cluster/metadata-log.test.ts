import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configsOf, type Image, topicNamed } from '../../broker/cluster/image.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import type { MetadataRecord } from '../../broker/cluster/metadata-record.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import { MemoryTable } from '../support/memory-table.ts'

function open(table: MemoryTable, itemCharactersMax = 10_000): Promise<MetadataLog> {
  return MetadataLog.open({ table, itemCharactersMax, attemptsMax: 50, itemsPerSnapshot: 5 })
}

function topic(name: string, partitions = 1): MetadataRecord[] {
  const created: MetadataRecord = { type: 'topicCreated', topicId: `id-${name}`, name }
  return [created, ...Array.from({ length: partitions }, (_, partition) => newPartition(`id-${name}`, partition, [1]))]
}

test('whoever reads the log holds the image of whoever wrote it', async () => {
  const table = new MemoryTable()
  const writer = await open(table)
  await writer.change(() => ({ records: topic('one', 3), answer: undefined }))
  await writer.change(() => ({
    records: [{ type: 'configChanged', resource: { kind: 'topic', name: 'one' }, changes: [['retention.ms', '5']] }], answer: undefined,
  }))
  const reader = await open(table)
  assert.deepEqual(reader.image, writer.image)
  assert.equal(topicNamed(reader.image, 'one')!.partitions.length, 3)
  assert.equal(configsOf(reader.image, { kind: 'topic', name: 'one' }).get('retention.ms'), '5')
})

test('two writers that race both succeed, each deciding on what the other did', async () => {
  const table = new MemoryTable()
  const writers = [await open(table), await open(table)]
  const count = 40
  await Promise.all(Array.from({ length: count }, (_, index) => writers[index % 2]!.change((image) => {
    const name = `topic-${image.topics.size}`
    return { records: topic(name), answer: name }
  })))
  for (const writer of writers) await writer.refresh()
  assert.deepEqual(writers[0]!.image, writers[1]!.image)
  assert.deepEqual([...writers[0]!.image.topicIds.keys()].sort(), Array.from({ length: count }, (_, index) => `topic-${index}`).sort())
})

test('a change that is larger than an item is written over several, all or nothing', async () => {
  const table = new MemoryTable()
  const writer = await open(table, 1_000)
  await writer.change(() => ({ records: topic('wide', 100), answer: undefined }))
  assert.ok(writer.image.sequence > 5)
  assert.deepEqual((await open(table)).image, writer.image)
})

test('listeners hear of every image in order', async () => {
  const log = await open(new MemoryTable())
  const heard: number[] = []
  log.onChange((image) => heard.push(image.sequence))
  await log.change(() => ({ records: topic('one'), answer: undefined }))
  await log.change(() => ({ records: topic('two'), answer: undefined }))
  assert.deepEqual(heard, [1, 2])
})

test('a decision without records writes nothing', async () => {
  const log = await open(new MemoryTable())
  assert.equal(await log.change(() => ({ records: [], answer: 'as it was' })), 'as it was')
  assert.equal(log.image.sequence, 0)
})

test('deleting a topic takes its settings with it, and its name can be used again', async () => {
  const log = await open(new MemoryTable())
  const config: MetadataRecord = { type: 'configChanged', resource: { kind: 'topic', name: 'one' }, changes: [['retention.ms', '5']] }
  await log.change(() => ({ records: [...topic('one'), config], answer: undefined }))
  await log.change(() => ({ records: [{ type: 'topicDeleted', topicId: 'id-one' }], answer: undefined }))
  const again: MetadataRecord[] = [{ type: 'topicCreated', topicId: 'other', name: 'one' }]
  await log.change(() => ({ records: again, answer: undefined }))
  assert.equal(topicNamed(log.image, 'one')!.id, 'other')
  assert.equal(configsOf(log.image, { kind: 'topic', name: 'one' }).size, 0)
})

test('a partition record that does not follow the one before it stops the fold', async () => {
  const log = await open(new MemoryTable())
  await log.change(() => ({ records: topic('one'), answer: undefined }))
  const stale = { ...newPartition('id-one', 0, [1]), leaderEpoch: 5 }
  await assert.rejects(log.change(() => ({ records: [stale], answer: undefined })), /epoch 0, not 1/)
})

test('what does not follow is not written either: whoever reads the log goes on', async () => {
  const table = new MemoryTable()
  const log = await open(table)
  await log.change(() => ({ records: topic('one'), answer: undefined }))
  const gone: MetadataRecord = { type: 'topicDeleted', topicId: 'id-one' }
  await assert.rejects(log.change(() => ({ records: [gone, gone], answer: undefined })), /deleted but unknown/)
  await log.change(() => ({ records: [gone], answer: undefined }))
  assert.equal((await open(table)).image.topics.size, 0)
})

test('nothing is refused because of what this broker has not heard of yet', async () => {
  const table = new MemoryTable()
  const [writer, reader] = [await open(table), await open(table)]
  await writer.change(() => ({ records: topic('one'), answer: undefined }))
  const refusing = (image: Image) => ({ records: [], answer: topicNamed(image, 'one') === undefined ? 'unknown' : 'known' })
  assert.equal(await reader.change(refusing), 'known')
})

test('whoever waits for an item hears of it when the image shows it, and not before', async () => {
  const table = new MemoryTable()
  const [writer, reader] = [await open(table), await open(table)]
  await writer.change(() => ({ records: topic('one'), answer: undefined }))
  const sequence = writer.image.sequence
  let heard = 0
  for (const wanted of [sequence, sequence + 1]) void reader.reached(wanted).then(() => (heard = wanted))
  await Promise.resolve()
  assert.equal(heard, 0)
  await reader.refresh()
  assert.equal(heard, sequence)
  await reader.reached(sequence)
})

test('a change that something else is a condition of is made while that holds, whoever else appends, and not afterwards', async () => {
  const table = new MemoryTable()
  const [log, other] = [await open(table), await open(table)]
  const key = { partition: 'sessions', sort: '1' }
  await table.commit([{ kind: 'put', key, value: null, expect: 'absent' }])
  await other.change(() => ({ records: topic('one'), answer: undefined }))
  const decide = (name: string) => () => ({ records: topic(name), answer: name })
  assert.equal(await log.changeWhile({ key, expect: 1 }, decide('two')), 'two')
  await table.commit([{ kind: 'put', key, value: null, expect: 1 }])
  await other.change(() => ({ records: topic('three'), answer: undefined }))
  assert.equal(await log.changeWhile({ key, expect: 1 }, decide('four')), undefined)
  await log.refresh()
  assert.deepEqual([...log.image.topicIds.keys()], ['one', 'two', 'three'])
})
