// Replays a partition from the tier: a folder as object store, the tier's I/O in its own thread as in production.
//
//   node bench/tier-replay.ts [segments] [bytes per batch] [readers] [bytes per fetch]
//
// Prints uploads and replays in MB/s with the CPU that they took, and the worst delay of the main thread's event loop
// during the replay: cold readers must not move the latency of those who write.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nodeClock } from '../broker/runtime/node-clock.ts'
import { nodeRandom } from '../broker/runtime/node-random.ts'
import { tierIoLimits } from '../broker/tier/tier-io.ts'
import { Tier } from '../broker/tier/tier.ts'
import { TierWorkerClient } from '../broker/tier/tier-worker-client.ts'
import type { TieredPartition } from '../broker/tier/tiered-partition.ts'
import { MemoryTable } from '../test/support/memory-table.ts'
import { batch } from '../test/tier/batches.ts'
import { FakeLog } from '../test/tier/fake-log.ts'

const [segments = 8, batchBytes = 16_384, readers = 1, fetchBytes = 1_048_576] = process.argv.slice(2).map(Number)
const segmentBytes = 64 * 1024 * 1024
const directory = mkdtempSync(join(tmpdir(), 'longtail-bench-'))

const io = await TierWorkerClient.open({
  store: { kind: 'folder', path: join(directory, 'objects') }, cacheDirectory: join(directory, 'cache'), callsMax: 1000,
  // A folder is a disk already: blocks need no second one.
  limits: { ...tierIoLimits, blockFileBytesMax: process.env.CACHE_FILES ? tierIoLimits.blockFileBytesMax : 0 },
  onFault: (fault) => console.error(fault),
  onDeath: (cause) => {
    throw cause
  },
})
const tier = new Tier({
  clock: nodeClock, random: nodeRandom, table: new MemoryTable(), io, clusterId: 'bench',
  onEvent: (event) => 'error' in event && console.error(event),
})

const log = new FakeLog(directory)
const records = Math.max(1, Math.floor(batchBytes / 1024))
for (let made = 0; made < segments; made++) {
  const batches: Buffer[] = []
  for (let bytes = 0, offset = log.endOffset; bytes < segmentBytes; offset += records) {
    const timestamps = Array.from({ length: records }, () => 1_700_000_000_000)
    const one = batch({ baseOffset: offset, timestamps, valueBytes: Math.floor(batchBytes / records) - 10 })
    batches.push(one)
    bytes += one.length
  }
  log.seal(batches)
  log.history.length = 0
}
const partition = tier.open(log)
const megabytes = log.localBytes / 1e6

interface Work {
  readonly startedAt: number
  readonly cpu: NodeJS.CpuUsage
  readonly megabytes: number
}

function report(what: string, work: Work): void {
  const seconds = (performance.now() - work.startedAt) / 1000
  const { user, system } = process.cpuUsage(work.cpu)
  const perGigabyte = (user + system) / 1e6 / (work.megabytes / 1000)
  console.log(`${what}: ${(work.megabytes / seconds).toFixed(0)} MB/s, ${perGigabyte.toFixed(2)} s CPU per GB`)
}

function describeDelay(delay: ReturnType<typeof monitorEventLoopDelay>): string {
  const milliseconds = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1)
  return `event loop of the main thread: p99 ${milliseconds(delay.percentile(99))} ms, max ${milliseconds(delay.max)} ms`
}

async function replay(from: TieredPartition): Promise<number> {
  let bytes = 0
  for (let offset = 0; offset < log.endOffset; ) {
    const deadlineMs = nodeClock.monotonic() + 500
    const read = await from.read({ offset, endOffset: Infinity, bytesMax: fetchBytes, minOneBatch: true, deadlineMs })
    if (read.kind === 'pending') continue
    if (read.kind !== 'batches') throw new Error(`at ${offset}: ${read.kind}`, { cause: read })
    bytes += read.bytes
    offset = read.nextOffset
  }
  return bytes
}

try {
  // With --expose-gc the making of the segments is not counted.
  globalThis.gc?.()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const upload = { startedAt: performance.now(), cpu: process.cpuUsage(), megabytes }
  await partition.tick(nodeClock.now())
  while (partition.tieredEnd < log.endOffset) await new Promise((resolve) => setTimeout(resolve, 5))
  report(`upload of ${segments} segments`, upload)
  const idle = monitorEventLoopDelay({ resolution: 1 })
  idle.enable()
  await new Promise((resolve) => setTimeout(resolve, 2000))
  console.log(`idle\n  ${describeDelay(idle)}`)
  for (const round of ['first', 'second']) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const work = { startedAt: performance.now(), cpu: process.cpuUsage(), megabytes: megabytes * readers }
    const read = await Promise.all(Array.from({ length: readers }, () => replay(partition)))
    if (read.some((bytes) => bytes !== log.localBytes)) throw new Error(`read ${read}, not ${log.localBytes}`)
    report(`${round} replay by ${readers}`, work)
    console.log(`  ${describeDelay(delay)}`)
  }
  console.log(await io.counts())
} finally {
  await tier.close()
  await io.close()
  rmSync(directory, { recursive: true, force: true })
}
