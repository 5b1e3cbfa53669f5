// What faults are seen by. Each of these throws where there is nothing to be seen.

import assert from 'node:assert/strict'
import { partitionsNow, type Scene } from './fault.ts'

/** Other brokers lead in newer epochs what `broker` led, or everything where none is named. */
export async function leadersMoved(scene: Scene, from?: number): Promise<string> {
  const now = await partitionsNow(scene)
  const moved = now.filter(({ partition, leaderEpoch }) => leaderEpoch > scene.epochs[partition]!)
  assert.ok(moved.length > 0, 'no leader epoch is newer than before')
  if (from !== undefined) assert.ok(!now.some(({ leader }) => leader === from), `broker ${from} still leads`)
  return `${moved.length} leaders moved`
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
