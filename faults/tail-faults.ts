// A broker returns without its disk, and has so much to copy that it takes a while. What is copied is on no object store.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { createTopicsApi } from '../broker/protocol/messages/create-topics.ts'
import { produceApi } from '../broker/protocol/messages/produce.ts'
import { recordBatch } from '../test/support/record-batches.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { brokerIds, type Cluster } from './cluster.ts'
import { leadersMoved } from './effects.ts'
import type { Fault, Scene } from './fault.ts'
import { inSync } from './metadata.ts'

const MiB = 2 ** 20
const partitions = 4
const batchBytes = 900_000
const inFlight = 4
const settledMsMax = 60_000
/** For a tail of 1 GiB. */
const copiedMsMax = 10_000
/** Until clients are told of a broker's end, and of its return. */
const deathMsMax = 2_000

export interface TailOptions {
  readonly tailMib: number
  readonly gapFactor: number
}

export function tailFault({ tailMib, gapFactor }: TailOptions): Fault {
  return {
    name: `a broker returns without its disk, which held ${tailMib} MiB more`, row: 'F25', seconds: 3, gapMsMax: deathMsMax,
    async begin(scene) {
      const { cluster } = scene
      const topicId = await makeTopic(cluster)
      await fill(topicId, scene, tailMib * MiB)
      const [{ leader: broker }] = await inSync(cluster.observed, awaited(topicId))
      await cluster.kill(broker)
      cluster.wipe(broker)
      return {
        async effect() {
          assert.ok(!existsSync(cluster.diskPath(broker)), 'the disk is there')
          return `disk gone, ${await leadersMoved(scene, broker)}`
        },
        async end() {
          const startedAt = performance.now()
          await cluster.start(broker)
          await inSync(cluster.observed, {
            ...awaited(topicId),
            look: ({ leader, isr }) => assert.ok(leader !== broker || isr.includes(broker), 'it leads what it has not got'),
          })
          const tookMs = performance.now() - startedAt
          await assertAlike(cluster, topicId)
          const said = `${tailMib} MiB copied and in sync ${(tookMs / 1000).toFixed(1)} s after its start`
          assert.ok(tookMs <= copiedMsMax * gapFactor, said)
          return said
        },
      }
    },
  }
}

async function makeTopic(cluster: Cluster): Promise<string> {
  const wire = await WireClient.connect(cluster.observed[0]!, 'admin')
  const { topics: [made] } = await wire.call(createTopicsApi, {
    topics: [{
      name: 'tail', numPartitions: partitions, replicationFactor: 3, assignments: [],
      configs: [{ name: 'remote.storage.enable', value: 'false' }],
    }],
    timeoutMs: 10_000,
  })
  wire.close()
  assert.equal(made?.errorCode, ErrorCode.NONE, made?.errorMessage ?? '')
  return made.topicId
}

const awaited = (topicId: string) => ({ topicId, replicas: brokerIds.length, withinMs: settledMsMax })

/** Every partition has its part, acknowledged by all in sync. */
async function fill(topicId: string, { cluster }: Scene, bytes: number): Promise<void> {
  const states = await inSync(cluster.observed, awaited(topicId))
  await Promise.all(states.map(async ({ partition }) => {
    const left = { batches: Math.ceil(bytes / partitions / batchBytes) }
    await Promise.all(Array.from({ length: inFlight }, () => send({ cluster, topicId, partition, left })))
  }))
}

interface Part {
  readonly cluster: Cluster
  readonly topicId: string
  readonly partition: number
  /** Of all that send to it. */
  readonly left: { batches: number }
}

async function send({ cluster, topicId, partition, left }: Part): Promise<void> {
  const value = Buffer.alloc(batchBytes, `${topicId}-${partition}`)
  let wire = await leaderOf({ cluster, topicId, partition })
  while (left.batches-- > 0) {
    value.writeUInt32BE(left.batches, 0)
    const records = [recordBatch([{ value }])]
    for (let attempt = 1; ; attempt++) {
      const { responses: [topic] } = await wire.call(produceApi, {
        acks: -1, timeoutMs: 30_000, topicData: [{ topicId, name: '', partitionData: [{ index: partition, records }] }],
      })
      const { errorCode } = topic!.partitionResponses[0]!
      if (errorCode === ErrorCode.NONE) break
      // Leaders go back to where they were placed a few seconds after the start.
      assert.ok(errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER && attempt < 10, `code ${errorCode}`)
      wire.close()
      wire = await leaderOf({ cluster, topicId, partition })
    }
  }
  wire.close()
}

async function leaderOf({ cluster, topicId, partition }: Omit<Part, 'left'>): Promise<WireClient> {
  const states = await inSync(cluster.observed, awaited(topicId))
  return WireClient.connect(cluster.addressOf(states[partition]!.leader), 'fill')
}

/** The segments of a partition, one after another, are the same bytes on every broker. */
async function assertAlike(cluster: Cluster, topicId: string): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const digests = await Promise.all(brokerIds.map((id) => digestOf(join(cluster.diskPath(id), 'logs', `${topicId}-${partition}`))))
    assert.equal(new Set(digests).size, 1, `partition ${partition} is not the same everywhere`)
  }
}

async function digestOf(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const files = globSync(join(directory, '*.log')).sort()
  assert.ok(files.length > 0, `nothing is in ${directory}`)
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
