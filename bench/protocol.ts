// What a codec costs: `node bench/protocol.ts [name]`. One shape per process tells the truth, since V8 specialises on what it
// has seen; without a name each case runs in a process of its own. CPU time, best of nine rounds, so that a busy machine
// hurts less.

import { spawnSync } from 'node:child_process'
import { decodeRequest, encodeResponse } from '../broker/protocol/header.ts'
import { encode } from '../broker/protocol/codec.ts'
import { fetchApi } from '../broker/protocol/messages/fetch.ts'
import { metadataApi } from '../broker/protocol/messages/metadata.ts'
import { produceApi } from '../broker/protocol/messages/produce.ts'
import type { Api } from '../broker/protocol/schema.ts'

const topicId = 'q83vASNFZ4mrze8BI0VniQ'
const partitions = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))
const batch = Buffer.alloc(1000)

function fetchRequest(version: number, count: number): Buffer {
  return encode(fetchApi.request, version, {
    maxWaitMs: 500, minBytes: 1, maxBytes: 50 << 20, sessionId: 7, sessionEpoch: 1, forgottenTopicsData: [],
    topics: [{
      topic: 'orders', topicId,
      partitions: partitions(count, (partition) => ({ partition, currentLeaderEpoch: 3, fetchOffset: 5e9 + partition, partitionMaxBytes: 1 << 20 })),
    }],
  })
}

function produceRequest(version: number, count: number): Buffer {
  return encode(produceApi.request, version, {
    acks: -1, timeoutMs: 30_000,
    topicData: [{ name: 'orders', topicId, partitionData: partitions(count, (index) => ({ index, records: [batch] })) }],
  })
}

function produceResponse(count: number): object {
  return {
    responses: [{ name: 'orders', topicId, partitionResponses: partitions(count, (index) => ({ index, errorCode: 0, baseOffset: 5e9 + index, logStartOffset: 0, recordErrors: [] })) }],
  }
}

function fetchResponse(count: number): object {
  return {
    errorCode: 0, sessionId: 7,
    responses: [{
      topic: 'orders', topicId,
      partitions: partitions(count, (partitionIndex) => ({
        partitionIndex, errorCode: 0, highWatermark: 5e9, lastStableOffset: 5e9, logStartOffset: 0, abortedTransactions: null, records: [batch],
      })),
    }],
  }
}

function metadataResponse(topics: number, count: number): object {
  return {
    brokers: partitions(3, (nodeId) => ({ nodeId, host: 'broker.example.com', port: 9092 })), clusterId: 'cluster', controllerId: 1, errorCode: 0,
    topics: partitions(topics, (index) => ({
      errorCode: 0, name: `topic-${index}`, topicId,
      partitions: partitions(count, (partitionIndex) => ({
        errorCode: 0, partitionIndex, leaderId: 1, leaderEpoch: 2, replicaNodes: [1, 2, 3], isrNodes: [1, 2, 3], offlineReplicas: [],
      })),
    })),
  }
}

function decoding(api: Api, version: number, body: Buffer): () => unknown {
  const head = Buffer.alloc(8)
  head.writeInt16BE(api.key)
  head.writeInt16BE(version, 2)
  const frame = Buffer.concat([head, Buffer.from([0, 2, 0x6d, 0x65]), Buffer.alloc(version >= api.flexible ? 1 : 0), body])
  return () => decodeRequest(frame, () => api)
}

const encoding = (api: Api, version: number, response: object) => (): unknown => encodeResponse(api, { version, correlationId: 1 }, response)

const cases = new Map<string, () => unknown>([
  ['decode Produce v9, 1 partition', decoding(produceApi, 9, produceRequest(9, 1))],
  ['decode Produce v13, 1 partition', decoding(produceApi, 13, produceRequest(13, 1))],
  ['decode Produce v13, 20 partitions', decoding(produceApi, 13, produceRequest(13, 20))],
  ['decode Fetch v12, 10 partitions', decoding(fetchApi, 12, fetchRequest(12, 10))],
  ['decode Fetch v18, 10 partitions', decoding(fetchApi, 18, fetchRequest(18, 10))],
  ['decode Fetch v18, 200 partitions', decoding(fetchApi, 18, fetchRequest(18, 200))],
  ['encode Produce v13, 1 partition', encoding(produceApi, 13, produceResponse(1))],
  ['encode Produce v13, 20 partitions', encoding(produceApi, 13, produceResponse(20))],
  ['encode Fetch v18, 1 partition', encoding(fetchApi, 18, fetchResponse(1))],
  ['encode Fetch v18, 20 partitions', encoding(fetchApi, 18, fetchResponse(20))],
  ['encode Metadata v13, 50 topics of 10', encoding(metadataApi, 13, metadataResponse(50, 10))],
])

const [chosen] = process.argv.slice(2)
if (chosen === undefined) {
  for (const name of cases.keys()) spawnSync(process.execPath, [import.meta.filename, name], { stdio: 'inherit' })
} else {
  const run = cases.get(chosen)
  if (run === undefined) throw new Error(`the cases are: ${[...cases.keys()].join('; ')}`)
  console.log(`${chosen.padEnd(40)} ${nanosecondsOf(run).toFixed(0).padStart(8)} ns`)
}

/** CPU time of one call, in the best of nine rounds of about 40 ms. */
function nanosecondsOf(run: () => unknown): number {
  const cpu = (): number => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  for (const start = cpu(); cpu() - start < 200_000;) for (let index = 0; index < 50; index++) run()
  let best = Infinity
  for (let round = 0; round < 9; round++) {
    const start = cpu()
    let calls = 0
    for (; cpu() - start < 40_000; calls += 500) for (let index = 0; index < 500; index++) run()
    best = Math.min(best, (cpu() - start) * 1000 / calls)
  }
  return best
}
