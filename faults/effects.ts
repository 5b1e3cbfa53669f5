// What faults are seen by. Each of these throws where there is nothing to be seen.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { createTopicsApi } from '../broker/protocol/messages/create-topics.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { partitionsNow, type Scene } from './fault.ts'

/** Other brokers lead in newer epochs what `broker` led, or everything where none is named. */
export async function leadersMoved(scene: Scene, from?: number): Promise<string> {
  const now = await partitionsNow(scene)
  const moved = now.filter(({ partition, leaderEpoch }) => leaderEpoch > scene.epochs[partition]!)
  assert.ok(moved.length > 0, 'no leader epoch is newer than before')
  if (from !== undefined) assert.ok(!now.some(({ leader }) => leader === from), `broker ${from} still leads`)
  return `${moved.length} leaders moved`
}

/** The one that lives leads everything, so that all of it can be read. */
export async function leadsAll(scene: Scene, broker: number): Promise<string> {
  const elsewhere = (await partitionsNow(scene)).filter(({ leader }) => leader !== broker)
  assert.deepEqual(elsewhere, [], `broker ${broker} does not lead everything`)
  return `broker ${broker} leads all`
}

export async function outOfSync(scene: Scene, broker: number): Promise<string> {
  const out = (await partitionsNow(scene)).filter(({ isr }) => !isr.includes(broker))
  assert.ok(out.length > 0, `broker ${broker} is in sync everywhere`)
  return `broker ${broker} left ${out.length} ISRs`
}

export function processGone(pid: number): string {
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `process ${pid} is there`)
  return 'process gone'
}

/** Writes to some partition were not acknowledged for that long at a stretch. */
export function writesStopped(scene: Scene, leastMs: number): string {
  const gapMs = scene.load.longestGapMs({ start: scene.begunAt, end: performance.now() })
  assert.ok(gapMs >= leastMs, `the longest gap was only ${gapMs.toFixed(0)} ms`)
  return `writes stopped${errorsIn(scene)}`
}

/** What producers were told meanwhile. */
export function errorsIn({ load, begunAt }: Scene): string {
  const errors = [...load.errorsSince(begunAt)].map(([name, count]) => `${name} ${count}`)
  return errors.length === 0 ? '' : ` (${errors.join(', ')})`
}

/** The share of requests that were acknowledged since the fault began, of those that were answered or given up. */
export function acknowledgedShare({ load, begunAt }: Scene, leastShare: number): string {
  const ended = load.history.attempts.filter(({ invokedAt }) => invokedAt >= begunAt)
  const acknowledged = ended.filter(({ outcome }) => outcome === 'ok').length
  assert.ok(ended.length > 0 && acknowledged / ended.length >= leastShare, `${acknowledged} of ${ended.length} requests were acknowledged`)
  return `${acknowledged} of ${ended.length} requests acknowledged`
}

/** Every leader is who it was when the fault began. */
export async function noneMoved(scene: Scene): Promise<void> {
  const moved = (await partitionsNow(scene)).filter(({ partition, leaderEpoch }) => leaderEpoch !== scene.epochs[partition])
  assert.deepEqual(moved, [], 'a leader moved, and none had failed')
}

const usableMsMax = 10_000

/** A topic can be made again, which needs the table, a session and a controller. */
export async function topicMade({ cluster }: Scene): Promise<string> {
  const startedAt = performance.now()
  const wire = await WireClient.connect(cluster.observed[0]!, 'admin')
  try {
    for (let number = 0; performance.now() < startedAt + usableMsMax; number++) {
      const { topics: [made] } = await wire.call(createTopicsApi, {
        topics: [{ name: `after-${startedAt.toFixed(0)}-${number}`, numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }],
        timeoutMs: usableMsMax,
      })
      if (made?.errorCode === ErrorCode.NONE) return `a topic made ${((performance.now() - startedAt) / 1000).toFixed(1)} s later`
      await sleep(100)
    }
  } finally {
    wire.close()
  }
  assert.fail(`no topic could be made within ${usableMsMax} ms`)
}
