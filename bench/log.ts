// CPU seconds per GB of a partition log alone, without network: node bench/log.ts [GB] [directory]

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HotBudget } from '../broker/log/hot-ring.ts'
import { PartitionLog } from '../broker/log/partition-log.ts'
import { BufferPool } from '../broker/runtime/buffer-pool.ts'
import { nodeClock } from '../broker/runtime/node-clock.ts'
import { nodeDisk } from '../broker/runtime/node-disk.ts'
import { aBatch } from '../test/support/a-batch.ts'
import { plainConfig } from '../test/log/log-world.ts'

const gigabytes = Number(process.argv[2] ?? 1)
const total = gigabytes * 1e9
const root = await mkdtemp(join(process.argv[3] ?? tmpdir(), 'bench-log-'))
const topicId = 'tPcZrYzKQ0GQp6W1vHnK2A'

function open(name: string, isSynced: boolean, hotBytes: number): Promise<PartitionLog> {
  return PartitionLog.open({
    disk: nodeDisk, clock: nodeClock, directory: join(root, name), topicId, partition: 0, isSynced,
    config: () => ({ ...plainConfig, segmentBytes: 1 << 30, batchBytesMax: 1 << 21, timestampAfterMsMax: Infinity }),
    hot: new HotBudget(hotBytes), pool: new BufferPool(1 << 24), openBatch: () => [], keyless: () => [],
    onFault: (cause) => console.error(cause),
  })
}

async function measure(what: string, run: () => Promise<number>): Promise<void> {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const bytes = await run()
  const used = process.cpuUsage(cpu)
  const seconds = (performance.now() - started) / 1000
  const per = (micros: number) => (micros / 1e6 / (bytes / 1e9)).toFixed(3)
  console.log(`${what.padEnd(34)} ${(bytes / 1e6 / seconds).toFixed(0).padStart(6)} MB/s  CPU s/GB: user ${per(used.user)} system ${per(used.system)}`)
}

/** So many appends at a time, as from so many connections. */
async function append(log: PartitionLog, { valueBytes, inFlight }: { valueBytes: number; inFlight: number }): Promise<number> {
  const frames = Array.from({ length: inFlight }, () => aBatch({ valueBytes, timestamp: Date.now() }))
  let left = total
  await Promise.all(frames.map(async (frame) => {
    while (left > 0) {
      left -= frame.length
      const { errorMessage } = await log.append(frame, { leaderEpoch: 0 })
      if (errorMessage !== undefined) throw new Error(errorMessage)
    }
  }))
  return total - left
}

async function read(log: PartitionLog, bytesMax: number): Promise<number> {
  let bytes = 0
  for (let offset = log.localStartOffset; offset < log.durableEndOffset; ) {
    const found = log.read({ offset, endOffset: log.durableEndOffset, bytesMax, minOneBatch: true })
    const lent = found instanceof Promise ? await found : found
    for (const buffer of lent.buffers) bytes += buffer.length
    const last = lent.buffers.at(-1)!
    offset += Math.round(lent.buffers.reduce((sum, buffer) => sum + buffer.length, 0) / batchLength(last))
    lent.release()
  }
  return bytes
}

function batchLength(bytes: Buffer): number {
  return bytes.readInt32BE(8) + 12
}

const kib = 1024
for (const [name, isSynced, valueBytes, inFlight] of [
  ['append 128 KiB, replicated, 8 at once', false, 128 * kib, 8], ['append 128 KiB, fsync, 8 at once', true, 128 * kib, 8],
  ['append 128 KiB, fsync, 1 at once', true, 128 * kib, 1], ['append 16 KiB, replicated, 64 at once', false, 16 * kib, 64],
] as const) {
  const log = await open(`${name}`, isSynced, 1 << 26)
  await measure(name, () => append(log, { valueBytes, inFlight }))
  await log.destroy()
}

const cold = await open('cold', false, 0)
await append(cold, { valueBytes: 128 * kib, inFlight: 8 })
await cold.close()
const disk = await open('cold', false, 0)
await measure('read from disk, 1 MiB at a time', () => read(disk, 1 << 20))
await disk.close()
const hot = await open('hot', false, 1 << 26)
for (let round = 0; round < 400; round++) await hot.append(aBatch({ valueBytes: 128 * kib }), { leaderEpoch: 0 })
await measure('read from memory, 1 MiB at a time', async () => {
  let bytes = 0
  while (bytes < total) bytes += await read(hot, 1 << 20)
  return bytes
})
await hot.close()
await rm(root, { recursive: true })
