import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { incrementalAlterConfigsApi } from '../../broker/protocol/messages/incremental-alter-configs.ts'
import type { Manifest } from '../../broker/tier/manifest.ts'
import { tierIoLimits } from '../../broker/tier/tier-io.ts'
import { tierLimits } from '../../broker/tier/tier.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { compactUntilIdle, type PartitionPlace, withManifest } from '../support/outside-compactor.ts'
import { createTopic, offsetAt } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { readAll } from './compacted-log.ts'
import { deleteRetentionMs, keyCount, localPart, recordCount, valueBytes } from './settings.ts'
import { Updates } from './updates-topic.ts'

const MiB = 2 ** 20
const totalBytes = recordCount * (valueBytes + 20)
const segmentBytes = Math.max(MiB, Math.floor(totalBytes / 150))
const root = mkdtempSync(join(tmpdir(), 'longtail-compaction-'))
const updates = new Updates()
const brokers: BrokerProcess[] = []
after(async () => {
  for (const broker of brokers) await broker.dispose()
  rmSync(root, { recursive: true, force: true })
})

class Subject {
  readonly broker: BrokerProcess
  readonly topicId: string
  readonly #name: string
  readonly #data: string

  private constructor(broker: BrokerProcess, topicId: string, name: string) {
    const data = join(root, name)
    this.#name = name
    this.broker = broker
    this.topicId = topicId
    this.#data = data
  }

  /** A broker with the whole history, of which nothing was compacted and 95 in 100 records have left the disk. */
  static async open(name: string): Promise<Subject> {
    const data = join(root, name)
    const broker = await BrokerProcess.start({ data, flags: ['--durability', 'replicated', '--log-level', 'info'] })
    brokers.push(broker)
    const client = await WireClient.connect(broker.bootstrap)
    const configs = {
      'cleanup.policy': 'compact', 'segment.bytes': String(segmentBytes), 'min.compaction.lag.ms': '86400000',
      'min.cleanable.dirty.ratio': '0.01', 'delete.retention.ms': String(deleteRetentionMs),
      'local.retention.bytes': String(Math.floor(totalBytes * localPart)),
    }
    const topicId = await createTopic(client, { name, partitions: 1, configs })
    const started = performance.now()
    await updates.write(broker.bootstrap, topicId)
    const seconds = (performance.now() - started) / 1000
    const subject = new Subject(broker, topicId, name)
    const local = () => offsetAt(client, { topic: name, partition: 0, timestamp: -4 })
    await until('95 of 100 records to leave the disk', 300, async () => (await local()) >= recordCount * 0.95)
    client.close()
    console.log(`${name}: ${recordCount} updates over ${keyCount} keys in ${seconds.toFixed(1)} s, ${percent(await localOf(subject, name))} ` +
      `of them in the object store alone, ${mib(subject.objectBytes())}`)
    return subject
  }

  objects(): string[] {
    return globSync(join(this.#data, 'objects', '**', `*${this.topicId}*`, '**', '*-g*')).filter((path) => existsSync(path))
  }

  objectBytes(): number {
    return this.objects().reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
  }

  /** From now on everything may be compacted. */
  async begin(name: string): Promise<void> {
    const client = await WireClient.connect(this.broker.bootstrap)
    const { responses } = await client.call(incrementalAlterConfigsApi, {
      validateOnly: false,
      resources: [{ resourceType: 2, resourceName: name, configs: [{ name: 'min.compaction.lag.ms', configOperation: 0, value: '0' }] }],
    })
    assert.equal(responses[0]!.errorCode, 0)
    client.close()
  }

  get place(): PartitionPlace {
    const clusterId = this.objects()[0]!.split('/v1/')[1]!.split('/')[0]!
    return { tablePath: join(this.#data, 'table.db'), objectsPath: join(this.#data, 'objects'), clusterId, topicId: this.topicId, partition: 0 }
  }

  manifest<T>(use: (manifest: Manifest) => Promise<T>): Promise<T> {
    return withManifest(this.place, use)
  }

  /** Of the broker, in bytes, at its peak since it started. */
  rssPeak(): number {
    const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.broker.pid}/status`, 'utf8')) ?? []
    return Number(kib) * 1024
  }

  /** Waits for the end of a pass, and holds everything against what was written. Returns where what is compacted ends. */
  async assertCompacted(): Promise<number> {
    const cleanedEnd = await this.manifest(async (manifest) => {
      await until('a pass to come to its end', 600, async () => ((await manifest.refresh())!.compaction?.cleanedEnd ?? 0) >= recordCount * 0.95)
      return (await manifest.refresh())!.compaction!.cleanedEnd
    })
    // What is on the disk as well is read from there, as it was written.
    const coldEnd = Math.min(cleanedEnd, Math.floor((await localOf(this, this.#name)) * recordCount))
    // A broker that remembers rows which another process has replaced reads these until it looks again, once a minute.
    await until('each key to be there once in what is compacted', 120, async () => {
      const { superseded } = await readAll(this.broker.bootstrap, this.topicId, { updates, cleanedEnd: coldEnd })
      return superseded === 0
    })
    return cleanedEnd
  }

  /** Twice `delete.retention.ms` and a pass later at the latest. */
  async assertDeleted(): Promise<void> {
    await until('deleted keys to go', 300, async () => {
      const { tombstones } = await readAll(this.broker.bootstrap, this.topicId, { updates, cleanedEnd: 0 })
      return tombstones === 0
    })
  }

  async said(name: string, startedAt: number): Promise<string> {
    const { bytes, segments } = await this.manifest(async (manifest) => (await manifest.refresh())!)
    return `${name}: compacted after ${((performance.now() - startedAt) / 1000).toFixed(1)} s, ${mib(bytes)} in ${segments} objects, ` +
      `the broker took ${mib(this.rssPeak())} at its peak`
  }
}

async function localOf({ broker }: Subject, topic: string): Promise<number> {
  const client = await WireClient.connect(broker.bootstrap)
  const start = await offsetAt(client, { topic, partition: 0, timestamp: -4 })
  client.close()
  return start / recordCount
}

describe(`${recordCount} updates over ${keyCount} keys`, { timeout: 3_600_000 }, () => {
  test('are compacted where they are: the newest of each key is left, and offsets are what they were', async () => {
    const subject = await Subject.open('plain')
    try {
      const rss = subject.rssPeak()
      const started = performance.now()
      await subject.begin('plain')
      await subject.assertCompacted()
      console.log(await subject.said('plain', started), `(${mib(rss)} before)`)
      await subject.assertDeleted()
      const limit = rss + tierIoLimits.compactionKeyBytesMax + 2 * tierLimits.compactionObjectBytes + 256 * MiB
      assert.ok(subject.rssPeak() < limit, `${mib(subject.rssPeak())} of ${mib(limit)}`)
    } finally {
      await subject.broker.dispose()
    }
  })

  test('and all the same where the broker is killed half-way through', async () => {
    const subject = await Subject.open('killed')
    try {
      const started = performance.now()
      await subject.begin('killed')
      // A short history is one group of rows: there it is killed between the first new object and the swap.
      await subject.manifest(async (manifest) => until('the first swap, or what comes before it', 120, async () => {
        const isSwapped = (await manifest.refresh())!.generation >= 1
        return isSwapped || (recordCount < 2_000_000 && subject.objects().some((path) => /-g1-[^/]*$/.test(path)))
      }, 5))
      await subject.broker.stop('SIGKILL')
      const { generation, compaction } = await subject.manifest(async (manifest) => (await manifest.refresh())!)
      console.log(`killed: in generation ${generation}, at ${compaction?.passNext ?? 0} of ${compaction?.passEnd ?? 'a pass that has swapped nothing'}`)
      await subject.broker.start()
      await subject.assertCompacted()
      console.log(await subject.said('killed', started))
      await subject.assertDeleted()
    } finally {
      await subject.broker.dispose()
    }
  })

  test('and where another process compacts beside the broker', async () => {
    const subject = await Subject.open('rivals')
    try {
      const started = performance.now()
      await subject.begin('rivals')
      const ends = await compactBeside(subject)
      await subject.assertCompacted()
      console.log(await subject.said('rivals', started), `(the other process: ${ends.join(', ')})`)
      await subject.assertDeleted()
    } finally {
      await subject.broker.dispose()
    }
  })
})

/** Somebody else, until nothing is left to do. */
function compactBeside(subject: Subject): Promise<string[]> {
  return compactUntilIdle({ ...subject.place, directory: root, deleteRetentionMs })
}

async function until(what: string, seconds: number, isSo: () => Promise<boolean>, everyMs = 250): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`)
    await sleep(everyMs)
  }
}

function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)}%`
}
