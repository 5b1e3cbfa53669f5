import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { deleteRecordsApi } from '../../broker/protocol/messages/delete-records.ts'
import { deleteTopicsApi } from '../../broker/protocol/messages/delete-topics.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { listOffsetsApi } from '../../broker/protocol/messages/list-offsets.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { zeroUuid } from '../../broker/runtime/random.ts'
import { aBatch, type BatchShape } from '../support/a-batch.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { WireClient } from '../support/wire-client.ts'

// What a broker answers on the wire, where library clients would hide it.

let broker: BrokerProcess
let client: WireClient

before(async () => {
  broker = await BrokerProcess.start({ settings: { 'message.max.bytes': '20000' } })
  client = await WireClient.connect(broker.bootstrap)
})

after(async () => {
  client.close()
  await broker.dispose()
})

let topics = 0

async function newTopic(configs: Record<string, string> = {}): Promise<{ name: string; id: string }> {
  const name = `topic-${topics++}`
  const given = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: given }
  const { topics: made } = await client.call(createTopicsApi, { topics: [topic], timeoutMs: 5000 })
  assert.equal(errorName(made[0]!.errorCode), 'NONE')
  return { name, id: made[0]!.topicId }
}

/** A batch that is made now: its timestamps are within what the broker allows. */
function batch(shape: BatchShape = {}): Buffer {
  return aBatch({ timestamp: Date.now(), ...shape })
}

async function produce(name: string, records: Buffer | null, options: { acks?: number; index?: number; version?: number } = {}) {
  const { acks = -1, index = 0, version = 12 } = options
  const partitionData = [{ index, records: records === null ? null : [records] }]
  const { responses } = await client.call(produceApi, { acks, timeoutMs: 5000, topicData: [{ name, partitionData }] }, { version })
  return responses[0]!.partitionResponses[0]!
}

async function fetch(id: string, fetchOffset: number, options: { waitMs?: number; minBytes?: number; epoch?: number } = {}) {
  const partition = { partition: 0, fetchOffset, partitionMaxBytes: 1_000_000, currentLeaderEpoch: options.epoch ?? -1 }
  const request = { maxWaitMs: options.waitMs ?? 0, minBytes: options.minBytes ?? 1, topics: [{ topic: '', topicId: id, partitions: [partition] }], forgottenTopicsData: [] }
  const { responses } = await client.call(fetchApi, { ...request, sessionEpoch: -1 })
  return responses[0]!.partitions[0]!
}

const refusals: [string, () => Buffer | null, string][] = [
  ['no records at all', () => null, 'INVALID_RECORD'],
  ['an empty record set', () => Buffer.alloc(0), 'INVALID_RECORD'],
  ['two batches', () => Buffer.concat([batch(), batch()]), 'INVALID_RECORD'],
  ['a flipped bit', () => flipped(batch()), 'CORRUPT_MESSAGE'],
  ['a batch that is too large', () => batch({ valueBytes: 30_000 }), 'MESSAGE_TOO_LARGE'],
  ['an old message format', () => batch({ fields: { magic: 1 } }), 'INVALID_RECORD'],
  ['a compression that is not known', () => batch({ fields: { attributes: 5 } }), 'UNSUPPORTED_COMPRESSION_TYPE'],
  ['a control batch', () => batch({ fields: { attributes: 0x20 } }), 'INVALID_RECORD'],
  ['a count that does not match', () => batch({ records: 2, fields: { recordCount: 3 } }), 'INVALID_RECORD'],
  ['a timestamp of tomorrow', () => batch({ timestamp: Date.now() + 86_400_000 }), 'INVALID_TIMESTAMP'],
]

function flipped(bytes: Buffer): Buffer {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}

for (const [what, records, code] of refusals) {
  test(`a produce of ${what} is refused with ${code}, and appends nothing`, async () => {
    const { name, id } = await newTopic()
    const answer = await produce(name, records())
    assert.equal(errorName(answer.errorCode), code)
    assert.equal(answer.baseOffset, -1)
    assert.equal((await fetch(id, 0)).highWatermark, 0)
  })
}

test('a topic, a partition and acks that do not exist are refused as in Kafka', async () => {
  const { name } = await newTopic()
  assert.equal(errorName((await produce('nowhere', batch())).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(errorName((await produce(name, batch(), { index: 7 })).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(errorName((await produce(name, batch(), { acks: 2 })).errorCode), 'INVALID_REQUIRED_ACKS')
  const byId = await client.call(produceApi, {
    acks: 1, timeoutMs: 5000, topicData: [{ name: '', topicId: 'AAAAAAAAAAAAAAAAAAAABB', partitionData: [{ index: 0, records: [batch()] }] }],
  })
  assert.equal(errorName(byId.responses[0]!.partitionResponses[0]!.errorCode), 'UNKNOWN_TOPIC_ID')
})

test('a batch that is sent again gets its first offset, and is there once', async () => {
  const { name, id } = await newTopic()
  const sent = (baseSequence: number) => batch({ records: 2, producerId: 4711, producerEpoch: 0, baseSequence })
  for (const sequence of [0, 2, 4]) assert.equal((await produce(name, sent(sequence))).baseOffset, sequence)
  assert.equal((await produce(name, sent(2))).baseOffset, 2)
  assert.equal(errorName((await produce(name, sent(8))).errorCode), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal((await fetch(id, 0)).highWatermark, 6)
})

test('requests that are sent without waiting are appended and answered in their order', async () => {
  const { name } = await newTopic()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) =>
    produce(name, batch({ producerId: 815, producerEpoch: 0, baseSequence: index }))))
  assert.deepEqual(answers.map(({ baseOffset }) => baseOffset), Array.from({ length: 50 }, (_, index) => index))
})

test('a fetch waits for records, and no longer than until they are there', async () => {
  const { name, id } = await newTopic()
  const other = await WireClient.connect(broker.bootstrap)
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }
  const waiting = other.call(fetchApi, {
    maxWaitMs: 20_000, minBytes: 1, sessionEpoch: -1, topics: [{ topic: '', topicId: id, partitions: [partition] }], forgottenTopicsData: [],
  })
  await produce(name, batch({ records: 3 }))
  const { responses } = await waiting
  assert.equal(responses[0]!.partitions[0]!.highWatermark, 3)
  assert.ok(responses[0]!.partitions[0]!.records!.length > 0)
  other.close()
})

test('a fetch outside of the log, or with an epoch that is not ours, is refused', async () => {
  const { name, id } = await newTopic()
  await produce(name, batch({ records: 3 }))
  assert.equal(errorName((await fetch(id, 4)).errorCode), 'OFFSET_OUT_OF_RANGE')
  assert.equal(errorName((await fetch(id, -5)).errorCode), 'OFFSET_OUT_OF_RANGE')
  assert.equal(errorName((await fetch(id, 0, { epoch: 9 })).errorCode), 'UNKNOWN_LEADER_EPOCH')
  assert.equal(errorName((await fetch(id, 3)).errorCode), 'NONE')
})

test('a fetch that says it comes from a broker is refused unless that broker is registered as it says', async () => {
  const { id } = await newTopic()
  const answer = await client.call(fetchApi, {
    replicaState: { replicaId: 2, replicaEpoch: 1 }, maxWaitMs: 0, minBytes: 1, sessionEpoch: -1,
    topics: [{ topic: '', topicId: id, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }], forgottenTopicsData: [],
  })
  assert.equal(errorName(answer.errorCode), 'STALE_BROKER_EPOCH')
})

test('in a session only what is new is told, and a wrong epoch ends nothing', async () => {
  const { name, id } = await newTopic()
  const topicsAsked = [{ topic: '', topicId: id, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }] }]
  const ask = (sessionId: number, sessionEpoch: number, asked: typeof topicsAsked) =>
    client.call(fetchApi, { maxWaitMs: 0, minBytes: 1, sessionId, sessionEpoch, topics: asked, forgottenTopicsData: [] })
  const first = await ask(0, 0, topicsAsked)
  assert.ok(first.sessionId > 0)
  assert.equal(first.responses.length, 1)
  assert.deepEqual((await ask(first.sessionId, 1, [])).responses, [])
  await produce(name, batch())
  assert.equal((await ask(first.sessionId, 2, [])).responses[0]!.partitions[0]!.highWatermark, 1)
  assert.equal(errorName((await ask(first.sessionId, 9, [])).errorCode), 'INVALID_FETCH_SESSION_EPOCH')
  assert.equal(errorName((await ask(first.sessionId + 1, 1, [])).errorCode), 'FETCH_SESSION_ID_NOT_FOUND')
})

test('records are deleted up to an offset, and the start moves with them', async () => {
  const { name, id } = await newTopic()
  await produce(name, batch({ records: 10 }))
  const deleteBefore = async (offset: number) => {
    const { topics: answered } = await client.call(deleteRecordsApi, { topics: [{ name, partitions: [{ partitionIndex: 0, offset }] }], timeoutMs: 5000 })
    return answered[0]!.partitions[0]!
  }
  assert.equal((await deleteBefore(4)).lowWatermark, 4)
  assert.equal(errorName((await deleteBefore(11)).errorCode), 'OFFSET_OUT_OF_RANGE')
  assert.equal(errorName((await fetch(id, 3)).errorCode), 'OFFSET_OUT_OF_RANGE')
  const { topics: offsets } = await client.call(listOffsetsApi, {
    replicaId: -1, isolationLevel: 0, topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -2 }] }], timeoutMs: 5000,
  })
  assert.equal(offsets[0]!.partitions[0]!.offset, 4)
  assert.equal((await deleteBefore(-1)).lowWatermark, 10)
})

test('with LogAppendTime records carry the time of the broker', async () => {
  const { name } = await newTopic({ 'message.timestamp.type': 'LogAppendTime' })
  const before = Date.now()
  const answer = await produce(name, batch({ timestamp: 1000 }))
  assert.ok(answer.logAppendTimeMs >= before && answer.logAppendTimeMs <= Date.now())
})

test('a compacted topic refuses records without a key, and names them', async () => {
  const { name } = await newTopic({ 'cleanup.policy': 'compact' })
  const answer = await produce(name, batch({ records: 3 }))
  assert.equal(errorName(answer.errorCode), 'INVALID_RECORD')
  assert.deepEqual(answer.recordErrors.map(({ batchIndex }) => batchIndex), [0, 1, 2])
  assert.equal(errorName((await produce(name, batch({ hasKeys: true }))).errorCode), 'NONE')
})

test('every version of Produce and Fetch that is served answers', async () => {
  const { name, id } = await newTopic()
  for (let version = produceApi.versions.start; version <= 12; version++) {
    assert.equal((await produce(name, batch(), { version })).errorCode, ErrorCode.NONE, `Produce v${version}`)
  }
  for (let version = fetchApi.versions.start; version <= fetchApi.versions.end; version++) {
    const asked = { topic: name, topicId: id, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }] }
    const { responses } = await client.call(fetchApi, { maxWaitMs: 0, minBytes: 1, sessionEpoch: -1, topics: [asked], forgottenTopicsData: [] }, { version })
    assert.equal(responses[0]!.partitions[0]!.highWatermark, 10, `Fetch v${version}`)
  }
})

test('a topic that was deleted and made again is another one', async () => {
  const { name, id } = await newTopic()
  await client.call(deleteTopicsApi, { topics: [{ name, topicId: zeroUuid }], topicNames: [], timeoutMs: 5000 })
  const { topics: known } = await client.call(metadataApi, {
    topics: [{ name, topicId: zeroUuid }], allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
  })
  assert.notEqual(known[0]!.topicId, id)
  assert.equal(errorName((await fetch(id, 0)).errorCode), 'UNKNOWN_TOPIC_ID')
})

test('a topic that is named twice is deleted neither time, and the broker goes on', async () => {
  const { name, id } = await newTopic()
  const deleted = async (...topics: { readonly name: string | null; readonly topicId: string }[]) => {
    const { responses } = await client.call(deleteTopicsApi, { topics, topicNames: [], timeoutMs: 5000 })
    return responses.map(({ errorCode }) => errorName(errorCode))
  }
  const [named, byId] = [{ name, topicId: zeroUuid }, { name: null, topicId: id }]
  assert.deepEqual(await deleted(named, byId), ['INVALID_REQUEST', 'INVALID_REQUEST'])
  assert.deepEqual(await deleted(byId, byId), ['INVALID_REQUEST', 'INVALID_REQUEST'])
  assert.deepEqual(await deleted(byId, { name: 'unknown', topicId: zeroUuid }), ['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'])
})
