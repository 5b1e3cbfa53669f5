// The programs that put load on a broker: the same ones on each of them. Each prints what it measured.

import { join } from 'node:path'
import { output, tool } from '../test/interop/shell.ts'
import { places } from '../scripts/peer/cache.ts'

export interface Throughput {
  readonly records: number
  /** Of values. */
  readonly bytes: number
  readonly seconds: number
}

export interface Latency {
  /** Microseconds from when a record was due to when it was received. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

const program = (name: string) => join(places.programs, `bench-${name}`)

async function ran<T>(name: string, args: readonly (string | number)[]): Promise<T> {
  return JSON.parse(await output(program(name), args.map(String), { limitSeconds: 700 })) as T
}

export interface Load {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  /** Of each value. */
  readonly bytes: number
  readonly partitions: number
}

export interface LoadClient {
  readonly name: string
  produce(load: Load): Promise<Throughput>
  consume(load: Load): Promise<Throughput>
}

export const librdkafka: LoadClient = {
  name: 'librdkafka',
  produce: ({ bootstrap, topic, records, bytes }) => ran('throughput', ['produce', bootstrap, topic, records, bytes]),
  consume: ({ bootstrap, topic, records, partitions }) => ran('throughput', ['consume', bootstrap, topic, records, partitions]),
}

/** Kafka's own performance tools; the payload comes from a file, since making random ones would be what is measured. */
export function javaClient(payloadFile: (bytes: number) => string): LoadClient {
  return {
    name: 'Java',
    async produce({ bytes, ...load }) {
      const { records } = load
      const settings = ['acks=all', 'linger.ms=5', 'batch.size=131072', 'buffer.memory=67108864']
      const last = await perfTest('kafka-producer-perf-test', load, [
        '--payload-file', payloadFile(bytes), '--throughput', '-1', '--command-property', ...settings,
      ])
      const rate = Number(/([\d.]+) records\/sec/.exec(last)?.[1])
      return { records, bytes: records * bytes, seconds: records / rate }
    },
    async consume({ bytes, ...load }) {
      const last = await perfTest('kafka-consumer-perf-test', load, ['--hide-header'])
      // start, end, MB, MB/s, records, records/s, time of the rebalance, of fetching, MB/s and records/s without the rebalance
      const columns = last.split(',').map((column) => column.trim())
      return { records: Number(columns[4]), bytes: Number(columns[4]) * bytes, seconds: Number(columns[7]) / 1000 }
    },
  }
}

/** The last line of one of Kafka's tools, which has the whole of what it measured. */
async function perfTest(name: string, load: Pick<Load, 'bootstrap' | 'topic' | 'records'>, args: readonly string[]): Promise<string> {
  const { bootstrap, topic, records } = load
  const common = ['--bootstrap-server', bootstrap, '--topic', topic, '--num-records', String(records), '--reporting-interval', '600000']
  const text = await tool(name, [...common, ...args], { limitSeconds: 700 })
  return text.trim().split('\n').at(-1)!
}

export function steadyLatency(at: {
  bootstrap: string
  topic: string
  ratePerSecond: number
  seconds: number
  bytes: number
}): Promise<Latency> {
  return ran('latency', ['steady', at.bootstrap, at.topic, at.ratePerSecond, at.seconds, at.bytes])
}

export interface Rounds {
  readonly rounds: number
  readonly seconds: number
  /** Microseconds from the beginning of a round until all of it was acknowledged, or committed. */
  readonly p50: number
  readonly p99: number
}

/** Rounds of so many records, one round after another. */
export function rounds(
  kind: 'plain' | 'transactional', of: { bootstrap: string; topic: string; rounds: number; records: number; bytes: number },
): Promise<Rounds> {
  return ran('transactions', [kind, of.bootstrap, of.topic, of.rounds, of.records, of.bytes])
}

/** Milliseconds in which nothing was acknowledged, at the longest, though a record was due every 2 ms. */
export async function longestGap(at: { bootstrap: string; topic: string; seconds: number }): Promise<number> {
  return (await ran<{ gap: number }>('latency', ['gap', at.bootstrap, at.topic, at.seconds])).gap / 1000
}

/** Milliseconds until a record is acknowledged, from now. */
export async function firstAcknowledged(at: { bootstrap: string; topic: string }): Promise<number> {
  return (await ran<{ micros: number }>('latency', ['first', at.bootstrap, at.topic])).micros / 1000
}
