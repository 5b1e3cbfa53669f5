import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { recordBatch } from '../support/record-batches.ts'
import { createTopic } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'

test('a broker that is told to stop ends in order although clients are connected, and the next start believes its logs', async () => {
  const broker = await BrokerProcess.start({ flags: ['--log-level', 'info'] })
  after(() => broker.dispose())
  const [idle, client] = [await WireClient.connect(broker.bootstrap), await WireClient.connect(broker.bootstrap)]
  const topicId = await createTopic(client, { name: 'orders', partitions: 1 })
  const { responses } = await client.call(produceApi, {
    acks: -1, timeoutMs: 5000,
    topicData: [{ topicId, name: '', partitionData: [{ index: 0, records: [recordBatch([{ value: Buffer.from('one') }])] }] }],
  })
  assert.equal(responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.NONE)
  const ended = broker.ended()
  await broker.stop('SIGTERM')
  assert.equal(await ended, 0)
  assert.match(broker.output, /"msg":"stopped"/)
  const [checkpoint] = globSync(join(broker.data, 'logs', `${topicId}-0`, 'checkpoint.json'))
  assert.match(readFileSync(checkpoint!, 'utf8'), /"clean":\{"endOffset":1/)
  idle.close()
  client.close()
})
