// What is measured of a broker, one number each, and how a run of it is made.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTopic } from '../test/support/topic-reader.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { deleteTopicsApi } from '../broker/protocol/messages/delete-topics.ts'
import { firstAcknowledged, type LoadClient, steadyLatency } from './clients.ts'
import type { SingleSubject, Subject } from './subject.ts'

export interface Sizes {
  /** Records of 1 KiB, and of 100 bytes, per run. */
  readonly records: ReadonlyMap<number, number>
  readonly latencySeconds: number
  /** Runs of each measurement that count. */
  readonly runs: number
}

/** By name: one number per run. */
export type Samples = Map<string, number[]>

export function note(samples: Samples, name: string, value: number): void {
  const known = samples.get(name)
  if (known === undefined) samples.set(name, [value])
  else known.push(value)
}

const partitions = 4

export async function withTopic<T>({ bootstrap }: Subject, body: (topic: string) => Promise<T>): Promise<T> {
  const client = await WireClient.connect(bootstrap.split(',')[0]!)
  const topic = `bench-${randomUUID()}`
  await createTopic(client, { name: topic, partitions })
  await sleep(500)
  try {
    return await body(topic)
  } finally {
    await client.call(deleteTopicsApi, {
      topics: [{ name: topic, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
      topicNames: [],
      timeoutMs: 30_000,
    })
    client.close()
    // What was deleted is taken from the disk in the background, and must not be measured with what comes next.
    await sleep(500)
  }
}

export interface ThroughputRun {
  readonly subject: Subject
  readonly client: LoadClient
  readonly bytes: number
  readonly records: number
}

function loadName(direction: 'produce' | 'consume', { bytes, client }: Pick<ThroughputRun, 'bytes' | 'client'>): string {
  return `${direction}, ${bytes === 1024 ? '1 KiB' : `${bytes} B`}, ${client.name}`
}

/** The sample of what producing costs. */
export function producerCpu(run: Pick<ThroughputRun, 'bytes' | 'client'>): string {
  return `${loadName('produce', run)}|cpu`
}

/** Produces a topic and reads it back: rates in MB/s of values, and the broker's processor seconds per GB. */
export async function measureThroughput({ subject, client, bytes, records }: ThroughputRun, samples: Samples): Promise<void> {
  await withTopic(subject, async (topic) => {
    const load = { bootstrap: subject.bootstrap, topic, records, bytes, partitions }
    for (const direction of ['produce', 'consume'] as const) {
      const before = subject.cpuSeconds()
      const { bytes: moved, seconds, records: count } = await client[direction](load)
      // The broker may still be writing what it has acknowledged.
      await sleep(300)
      const cpu = subject.cpuSeconds() - before
      const what = loadName(direction, { bytes, client })
      note(samples, `${what}|rate`, moved / 1e6 / seconds)
      note(samples, `${what}|records`, count / seconds)
      note(samples, `${what}|cpu`, cpu / (moved / 1e9))
    }
  })
}

/** Produces a topic and waits until the broker rests: what it does later, such as uploading segments, is counted too. */
export async function measureSettled({ subject, client, bytes, records }: ThroughputRun, samples: Samples): Promise<void> {
  await withTopic(subject, async (topic) => {
    const idle = await cpuSecondsOfAWhile(subject)
    const before = subject.cpuSeconds()
    const { bytes: moved } = await client.produce({ bootstrap: subject.bootstrap, topic, records, bytes, partitions })
    const deadline = performance.now() + settledSecondsMax * 1000
    while ((await cpuSecondsOfAWhile(subject)) > idle + restingCpuSeconds) {
      if (performance.now() > deadline) throw new Error(`${subject.name} did not come to rest within ${settledSecondsMax} s`)
    }
    note(samples, 'settled', (subject.cpuSeconds() - before) / (moved / 1e9))
  })
}

/** A broker that uses so much more processor time in a while than it did before it had anything to do does not rest. */
const restingCpuSeconds = 0.15
const whileSeconds = 3
const settledSecondsMax = 120

async function cpuSecondsOfAWhile(subject: Subject): Promise<number> {
  const before = subject.cpuSeconds()
  await sleep(whileSeconds * 1000)
  return subject.cpuSeconds() - before
}

/** At a steady rate, in records per second. */
export async function measureLatency(
  subject: Subject, { sizes, ratePerSecond }: { readonly sizes: Sizes; readonly ratePerSecond: number }, samples: Samples,
): Promise<void> {
  await withTopic(subject, async (topic) => {
    const { p50, p99, p999 } = await steadyLatency({
      bootstrap: subject.bootstrap,
      topic,
      ratePerSecond,
      seconds: sizes.latencySeconds,
      bytes: 1024,
    })
    note(samples, `latency p50|${ratePerSecond}`, p50 / 1000)
    note(samples, `latency p99|${ratePerSecond}`, p99 / 1000)
    note(samples, `latency p99.9|${ratePerSecond}`, p999 / 1000)
  })
}

/** From the start of the process to the first acknowledged record, on a data directory that has a topic. */
export async function measureStart(subject: SingleSubject, topic: string, samples: Samples): Promise<void> {
  await subject.stop()
  const first = firstAcknowledged({ bootstrap: subject.bootstrap, topic })
  subject.launch()
  note(samples, 'start', await first)
}

export async function startTopic({ bootstrap }: SingleSubject): Promise<string> {
  const client = await WireClient.connect(bootstrap)
  const topic = `start-${randomUUID()}`
  await createTopic(client, { name: topic, partitions: 1 })
  client.close()
  return topic
}
