// Topics may take batches as large as a request. What one broker takes, the others have to get.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerSettings } from '../../broker/cluster/broker-config.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { aBatch } from '../support/a-batch.ts'
import { leaderAccordingTo, SimCluster } from '../support/sim-cluster.ts'

const largestRequest = Number(brokerSettings.get('socket.request.max.bytes')!.fallback)

test('a batch that almost fills the largest request is copied to the other brokers', async () => {
  const cluster = new SimCluster()
  await cluster.run(async () => {
    await cluster.start()
    const configs = [{ name: 'max.message.bytes', value: String(largestRequest) }]
    const { topics } = await (await cluster.connect(1)).call(createTopicsApi, {
      topics: [{ name: 'films', numPartitions: 1, replicationFactor: -1, assignments: [], configs }], timeoutMs: 5_000,
    })
    assert.equal(topics[0]!.errorCode, ErrorCode.NONE)
    const leader = await cluster.connect(await leaderAccordingTo(await cluster.connect(1), 'films'))
    const records = [aBatch({ valueBytes: largestRequest - 1024 })]
    const { responses } = await leader.call(produceApi, {
      acks: -1, timeoutMs: 10_000, topicData: [{ name: 'films', partitionData: [{ index: 0, records }] }],
    }, { version: 12 })
    assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
  })
  assert.deepEqual(cluster.defects, [])
})
