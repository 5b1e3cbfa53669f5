import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { codec } from '../../broker/protocol/codec.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { Writer } from '../../broker/protocol/writer.ts'
import { zeroUuid } from '../../broker/runtime/random.ts'
import { aBatch } from '../support/a-batch.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { WireClient } from '../support/wire-client.ts'

const topic = 'slow'
const mebibyte = 1024 * 1024

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** A fetch of everything there is, in one response. */
function greedyFetch(): Buffer {
  const writer = new Writer()
  writer.int32(0)
  writer.int16(fetchApi.key)
  writer.int16(11)
  writer.int32(1)
  writer.int16(-1)
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50 * mebibyte }]
  codec(fetchApi.request, 11).write(writer, {
    maxWaitMs: 0, minBytes: 1, maxBytes: 50 * mebibyte, sessionEpoch: -1, topics: [{ topic, partitions }], forgottenTopicsData: [],
  })
  const frame = Buffer.concat(writer.finish())
  frame.writeInt32BE(frame.length - 4)
  return frame
}

test('clients that ask for much and take nothing do not make the broker grow, nor keep others from reading', async () => {
  const broker = await BrokerProcess.start()
  const crowd: Socket[] = []
  try {
    const client = await WireClient.connect(broker.bootstrap)
    await client.call(metadataApi, {
      topics: [{ name: topic, topicId: zeroUuid }], allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    })
    for (let index = 0; index < 600; index++) {
      const records = [aBatch({ valueBytes: 100_000, timestamp: Date.now() })]
      const topicData = [{ name: topic, partitionData: [{ index: 0, records }] }]
      await client.call(produceApi, { acks: -1, timeoutMs: 5000, topicData }, { version: 12 })
    }
    const before = residentMiB(broker.pid)
    for (let index = 0; index < 300; index++) {
      const socket = connect(broker.port, '127.0.0.1').on('error', () => {})
      crowd.push(socket)
      if (index % 3 > 0) continue
      socket.pause()
      socket.write(greedyFetch())
    }
    await sleep(3000)
    const grown = residentMiB(broker.pid) - before
    assert.ok(grown < 128, `grew by ${Math.round(grown)} MiB; 100 readers asked for 50 MiB each`)
    const { responses } = await client.call(fetchApi, {
      maxWaitMs: 0, minBytes: 1, sessionEpoch: -1, forgottenTopicsData: [],
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: mebibyte }] }],
    }, { version: 12 })
    assert.ok(responses[0]!.partitions[0]!.records!.length > 0)
    client.close()
  } finally {
    for (const socket of crowd) socket.destroy()
    await broker.dispose()
  }
})
