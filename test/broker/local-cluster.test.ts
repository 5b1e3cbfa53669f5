import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../../broker/config.ts'
import { flagsOfBroker } from '../../broker/local-cluster.ts'
import { createTopicsApi } from '../../broker/protocol/messages/create-topics.ts'
import { describeClusterApi } from '../../broker/protocol/messages/describe-cluster.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { answering, freePortsInRow } from '../support/answering.ts'
import { WireClient } from '../support/wire-client.ts'

const configOf = (flags: Record<string, unknown>) => readConfig({ flags, environment: {}, file: undefined })
const valueOf = (flags: readonly string[], name: string) => flags[flags.indexOf(name) + 1]

test('each broker has a number, ports and a directory of its own, and the rest is shared', () => {
  const flags = flagsOfBroker(configOf({ brokers: '3', data: '/d', listen: '127.0.0.1:9092', set: ['num.partitions=7'] }), 2)
  assert.deepEqual(
    ['--id', '--listen', '--http', '--data', '--table'].map((name) => valueOf(flags, name)),
    ['3', '127.0.0.1:9094', '127.0.0.1:9646', '/d/broker-3', 'sqlite:/d/table.db'],
  )
  for (const set of ['num.partitions=7', 'default.replication.factor=3', 'min.insync.replicas=2']) assert.ok(flags.includes(set), set)
})

test('what is given of replication is kept, and two brokers replicate nothing by themselves', () => {
  const given = flagsOfBroker(configOf({ brokers: '3', set: ['min.insync.replicas=1'] }), 0)
  assert.ok(given.includes('min.insync.replicas=1') && !given.includes('min.insync.replicas=2'))
  assert.ok(!flagsOfBroker(configOf({ brokers: '2' }), 0).includes('default.replication.factor=3'))
})

async function brokersOf(port: number): Promise<number> {
  const client = await WireClient.connect(`127.0.0.1:${port}`)
  const { brokers } = await client.call(describeClusterApi, { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false })
  client.close()
  return brokers.length
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

test('one command starts three brokers that are a cluster, and stops them', async () => {
  const data = mkdtempSync(join(tmpdir(), 'longtail-cluster-'))
  const port = await freePortsInRow(3)
  const main = fileURLToPath(new URL('../../bin/longtail.js', import.meta.url))
  const child = spawn(process.execPath, [
    main, '--brokers', '3', '--listen', `127.0.0.1:${port}`, '--http', 'off', '--data', data, '--log-level', 'warn',
  ], { stdio: 'inherit' })
  try {
    for (const n of [0, 1, 2]) await answering(port + n, { withinMs: 30_000 })
    for (let looks = 0; looks < 200 && (await brokersOf(port)) < 3; looks++) await sleep(100)
    const client = await WireClient.connect(`127.0.0.1:${port}`)
    const { topics: [made] } = await client.call(createTopicsApi, {
      topics: [{ name: 'replicated', numPartitions: 3, replicationFactor: -1, assignments: [], configs: [] }], timeoutMs: 10_000,
    })
    assert.equal(made!.errorCode, 0)
    const { topics: [topic] } = await client.call(metadataApi, {
      topics: [{ name: 'replicated' }], allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    })
    assert.deepEqual(topic!.partitions.map(({ replicaNodes }) => replicaNodes.toSorted()), [[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    client.close()
    child.kill('SIGTERM')
    assert.equal(await ended(child), 0)
    for (const n of [0, 1, 2]) await assert.rejects(WireClient.connect(`127.0.0.1:${port + n}`))
  } finally {
    child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  }
})
