import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { listOffsetsApi } from '../../broker/protocol/messages/list-offsets.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { aBatch } from '../support/a-batch.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { WireClient } from '../support/wire-client.ts'

const topic = 'history'

async function place(client: WireClient, timestamp: number): Promise<number> {
  const asked = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }]
  const { topics } = await client.call(listOffsetsApi, { replicaId: -1, isolationLevel: 0, topics: asked, timeoutMs: 5000 })
  return topics[0]!.partitions[0]!.offset
}

async function append(client: WireClient, fill: number): Promise<number> {
  const records = [aBatch({ valueBytes: 10_000, fill, timestamp: Date.now() })]
  const { responses } = await client.call(produceApi, {
    acks: -1, timeoutMs: 5000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
  }, { version: 12 })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, 0)
  return responses[0]!.partitionResponses[0]!.baseOffset
}

/** What each record is filled with, in order, from the first that can be read. */
async function readAll(client: WireClient): Promise<number[]> {
  const end = await place(client, -1)
  const fills: number[] = []
  for (let offset = await place(client, -2), attempts = 0; offset < end && attempts < 200; attempts++) {
    const partitions = [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 100_000 }]
    const { responses } = await client.call(fetchApi, {
      maxWaitMs: 500, minBytes: 1, sessionEpoch: -1, topics: [{ topic, partitions }], forgottenTopicsData: [],
    }, { version: 12 })
    for (const batch of batchesIn(responses[0]!.partitions[0]!.records ?? Buffer.alloc(0))) {
      fills.push(batch.bytes[batch.length - 10]!)
      offset = batch.endOffset
    }
  }
  return fills
}

test('a broker that lost its logs goes on behind the object store, and history can still be read', async () => {
  const broker = await BrokerProcess.start({ flags: ['--http', 'off'] })
  try {
    let client = await WireClient.connect(broker.bootstrap)
    const configs = [{ name: 'segment.bytes', value: '100000' }]
    await client.call(createTopicsApi, {
      topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs }], timeoutMs: 5000,
    })
    for (let fill = 1; fill <= 100; fill++) await append(client, fill)
    // Nine records fill a segment, so the last one lies in the open segment, which is not uploaded.
    const tieredEnd = 99
    // -5: the last offset that is in the object store.
    for (let attempt = 0; (await place(client, -5)) < tieredEnd - 1; attempt++) {
      assert.ok(attempt < 300, 'the sealed segments are uploaded')
      await sleep(100)
    }
    client.close()
    await broker.stop('SIGKILL')
    rmSync(join(broker.data, 'logs'), { recursive: true })

    await broker.start()
    client = await WireClient.connect(broker.bootstrap)
    assert.equal(await place(client, -2), 0)
    assert.equal(await append(client, 200), tieredEnd)
    const expected = [...Array.from({ length: tieredEnd }, (_, index) => index + 1), 200]
    assert.deepEqual(await readAll(client), expected)
    client.close()
    await broker.stop()

    await broker.start()
    client = await WireClient.connect(broker.bootstrap)
    assert.deepEqual(await readAll(client), expected)
    client.close()
  } finally {
    await broker.dispose()
  }
})
