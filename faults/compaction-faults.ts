// Who compacts one partition at the same time as others, is killed half-way, or goes on with what it read long ago. All of them
// are processes beside the brokers, as functions in the cloud are.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { incrementalAlterConfigsApi } from '../broker/protocol/messages/incremental-alter-configs.ts'
import type { ManifestHead } from '../broker/tier/manifest-items.ts'
import type { TieredSegment } from '../broker/tier/tiered-segment.ts'
import { type PartitionPlace, withManifest } from '../test/support/outside-compactor.ts'
import { recordBatch, recordsIn } from '../test/support/record-batches.ts'
import { batchesFrom } from '../test/support/topic-reader.ts'
import { WireClient } from '../test/support/wire-client.ts'
import type { CompactorTask } from './compactor.ts'
import type { Fault, Scene } from './fault.ts'
import { makeTopic } from './load.ts'
import { inSync, observe } from './metadata.ts'
import { RealReach } from './reach.ts'
import { write } from './writes.ts'

const batches = 100
const recordsPerBatch = 200
const keys = 200
const valueBytes = 100
const updates = batches * recordsPerBatch
const soonMsMax = 30_000
const program = fileURLToPath(new URL('compactor.ts', import.meta.url))

/** Which key is written at which offset; what is written says the offset. */
const keyAt = (offset: number): number => (offset * 7919) % keys

/** A process that compacts. */
class Compactor {
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>
  #said = ''

  constructor(task: CompactorTask) {
    this.#process = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process.stdout!.on('data', (text) => (this.#said += text))
    this.#process.stderr!.on('data', (text) => (this.#said += text))
    this.#ended = once(this.#process, 'close')
  }

  /** How each of its tries ended. */
  get tries(): string[] {
    return this.#said.split('\n').filter((line) => line !== '')
  }

  async stopped(): Promise<void> {
    for (const until = performance.now() + soonMsMax; performance.now() < until; await sleep(10)) {
      const [, state] = /\) (\w) /.exec(readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8')) ?? []
      if (state === 'T') return
      assert.equal(this.#process.exitCode, null, `it ended before it came to its point: ${this.#said}`)
    }
    assert.fail('it did not come to its point')
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  resume(): void {
    this.#process.kill('SIGCONT')
  }

  /** Rejects where it failed. */
  async ended(): Promise<void> {
    await this.#ended
    assert.equal(this.#process.exitCode, 0, this.#said)
  }
}

interface Snapshot {
  readonly head: ManifestHead
  readonly rows: readonly TieredSegment[]
}

class CompactedTopic {
  readonly #scene: Scene
  readonly #name: string
  readonly place: PartitionPlace

  private constructor(scene: Scene, { name, topicId }: { readonly name: string; readonly topicId: string }) {
    const { tablePath, objectsPath } = scene.cluster
    this.#scene = scene
    this.#name = name
    const known = globSync(join(objectsPath, '**', 'v1', '*'))
    this.place = { tablePath, objectsPath, clusterId: known[0]!.split('/').at(-1)!, topicId, partition: 0 }
  }

  /** With all of its updates, almost all of which are in the object store, and none compacted. */
  static async make(scene: Scene): Promise<CompactedTopic> {
    const { cluster, load } = scene
    const name = `${load.topic}-compacted`
    const configs = Object.entries({
      'cleanup.policy': 'compact', 'segment.bytes': '65536', 'local.retention.bytes': '131072', 'min.compaction.lag.ms': '86400000',
      'min.cleanable.dirty.ratio': '0.01',
    }).map(([key, value]) => ({ name: key, value }))
    const topicId = await makeTopic(cluster.observed, { name, partitions: 1, configs })
    await inSync(cluster.observed, { topicId, replicas: 3, withinMs: soonMsMax })
    const reach = new RealReach('updates', cluster.bootstrap)
    for (let first = 0; first < updates; first += recordsPerBatch) {
      await write(reach, { topicId, partition: 0 }, recordBatch(Array.from({ length: recordsPerBatch }, (_, index) => {
        const value = Buffer.alloc(valueBytes)
        value.writeUInt32BE(first + index)
        return { key: Buffer.from(String(keyAt(first + index))), value }
      })))
    }
    reach.close()
    const topic = new CompactedTopic(scene, { name, topicId })
    await until('its history to be in the object store', async () => (await topic.look()).head.tieredEnd >= updates * 0.9)
    return topic
  }

  look(): Promise<Snapshot> {
    return withManifest(this.place, async (manifest) => {
      const head = await manifest.refresh()
      assert.ok(head !== undefined, 'nothing of it is in the object store')
      return { head, rows: await manifest.rowsFrom(0, 10_000) }
    })
  }

  /** From now on its leader compacts as well. */
  async letBrokers(): Promise<void> {
    const wire = await WireClient.connect(this.#scene.cluster.observed[0]!, 'admin')
    const configs = [{ name: 'min.compaction.lag.ms', configOperation: 0, value: '0' }]
    const { responses } = await wire.call(incrementalAlterConfigsApi, {
      validateOnly: false, resources: [{ resourceType: 2, resourceName: this.#name, configs }],
    }).finally(() => wire.close())
    assert.equal(responses[0]!.errorCode, ErrorCode.NONE, 'its settings could not be changed')
  }

  /** Every row follows on the one before, and what it names is there. */
  assertWhole({ head, rows }: Snapshot): void {
    let end = 0
    for (const row of rows) {
      assert.equal(row.baseOffset, end, 'a row does not begin where the one before ends')
      assert.ok(existsSync(join(this.place.objectsPath, row.key)), `what a row names is gone: ${row.key}`)
      end = row.endOffset
    }
    assert.equal(end, head.tieredEnd, 'rows do not go to the end')
  }

  /** The newest value of each key, where it was written, and nothing that was not. */
  async assertReadable(): Promise<number> {
    const { cluster } = this.#scene
    const [state] = await observe(cluster.observed, this.place.topicId)
    const wire = await WireClient.connect(cluster.addressOf(state!.leader), 'reader')
    const newest = new Map<number, number>()
    let records = 0
    try {
      for await (const batch of batchesFrom(wire, { topicId: this.place.topicId, partition: 0, offset: 0 })) {
        for (const { offset, key, value } of recordsIn(batch)) {
          assert.deepEqual([Number(key!.toString()), value!.readUInt32BE(0)], [keyAt(offset), offset], `the record at ${offset}`)
          newest.set(keyAt(offset), offset)
          records++
        }
      }
    } finally {
      wire.close()
    }
    const wanted = Array.from({ length: keys }, (_, index) => updates - keys + index)
    assert.deepEqual([...newest.values()].sort((a, b) => a - b), wanted, 'the newest value of each key')
    return records
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + soonMsMax; !(await isSo()); await sleep(100)) {
    assert.ok(performance.now() < end, `waited ${soonMsMax} ms in vain for ${what}`)
  }
}

const bytesOf = ({ rows }: Snapshot): number => rows.reduce((sum, { batchesBytes }) => sum + batchesBytes, 0)

export const compactionFaults: readonly Fault[] = [
  {
    name: 'three compact at once, one is killed and one goes on with an old list', row: 'F35', seconds: 0, gapMsMax: 1_000,
    async begin(scene) {
      const topic = await CompactedTopic.make(scene)
      const before = await topic.look()
      const task = {
        ...topic.place, directory: scene.cluster.diskPath(scene.leader), deleteRetentionMs: 86_400_000, limits: { compactionGroupRowsMax: 3 },
      }
      const killed = new Compactor({ ...task, stopsAtObject: 3 })
      await killed.stopped()
      const half = await topic.look()
      await killed.kill()
      const late = new Compactor({ ...task, stopsAtObject: 3 })
      await late.stopped()
      await topic.letBrokers()
      const rivals = [1, 2, 3].map(() => new Compactor(task))
      await Promise.all(rivals.map((rival) => rival.ended()))
      late.resume()
      await late.ended()
      const after = await topic.look()
      return {
        async effect() {
          assert.ok(half.head.generation > before.head.generation && half.head.compaction!.passNext > 0, 'it was not killed half-way')
          assert.equal(late.tries[0], 'beaten', 'what was stored after an old list counts')
          assert.ok(after.head.compaction!.cleanedEnd >= updates * 0.9, 'nobody came to the end')
          assert.ok(bytesOf(after) < bytesOf(before) / 5, `${bytesOf(after)} of ${bytesOf(before)} bytes are left`)
          for (const snapshot of [before, half, after]) topic.assertWhole(snapshot)
          return `killed at ${half.head.compaction!.passNext} of ${half.head.compaction!.passEnd}, the late one was ${late.tries[0]}, the others: ` +
            `${rivals.map(({ tries }) => tries.join(' ')).join(', ')}; ${before.rows.length} objects became ${after.rows.length}`
        },
        async end() {
          const records = await topic.assertReadable()
          topic.assertWhole(await topic.look())
          return `${records} of ${updates} records are read, the newest of each key among them`
        },
      }
    },
  },
]
