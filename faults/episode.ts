// One fault from beginning to end: load without it, under it and after it, until everybody is in sync again, and what the
// checker says of the history.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { check } from '../sim/check/checker.ts'
import type { Violation } from '../sim/check/violation.ts'
import { brokerIds, type Cluster } from './cluster.ts'
import { type Fault, partitionsNow, type Scene, sceneOf } from './fault.ts'
import { hangUpFinals, readFinals } from './finals.ts'
import { Load, type Rate } from './load.ts'
import { Transactions } from './transactions.ts'

export interface EpisodeOptions {
  readonly cluster: Cluster
  readonly rate: Rate
  /** Seconds of load before the fault, and after it. */
  readonly quietSeconds: number
  /** Instead of what the fault says. */
  readonly seconds?: number | undefined
  /** The allowed gap is so many times as long, for machines that others use too. */
  readonly gapFactor: number
}

export interface Episode {
  readonly fault: Fault
  readonly effect: string
  readonly acknowledged: number
  /** Of acknowledged records that were, or may have been, sent more than once. */
  readonly attempts: number
  /** The longest gaps in milliseconds: before the fault, and from its beginning on. */
  readonly quietGapMs: number
  readonly gapMs: number
  readonly gapMsMax: number | undefined
  /** The same for partitions that were not led by the broker that was cut off, where they have a bound of their own. */
  readonly elsewhere: { readonly gapMs: number; readonly gapMsMax: number } | undefined
  /** Milliseconds from the end of the fault until everybody was in sync and every partition took writes. */
  readonly recoveryMs: number
  readonly violations: readonly Violation[]
}

const recoveryMsMax = 40_000
const startMsMax = 20_000

/** Throws where the fault had no effect, and where the cluster does not come back. */
export async function runEpisode(fault: Fault, options: EpisodeOptions): Promise<Episode> {
  const { cluster, rate, quietSeconds, gapFactor } = options
  const load = await Load.begin(fault.name.replaceAll(/[^a-z]+/g, '-'), { bootstrap: cluster.bootstrap, rate })
  const transactions = fault.hasTransactions === true ? await Transactions.begin(load, cluster) : undefined
  try {
    assert.ok(await load.progress(performance.now(), startMsMax), 'the load did not begin')
    await allInSync({ cluster, load }, startMsMax)
    const quietFrom = performance.now()
    await sleep(quietSeconds * 1000)
    const scene = await sceneOf(cluster, load, transactions)
    const ongoing = await fault.begin(scene)
    const effect = await lasting(fault, options, ongoing)
    const endedAt = performance.now()
    await allInSync(scene, recoveryMsMax)
    assert.ok(await load.progress(performance.now(), recoveryMsMax), `writes did not go on everywhere\n${load.state}`)
    const recoveryMs = performance.now() - endedAt
    await sleep(quietSeconds * 1000)
    const end = performance.now()
    await transactions?.stop()
    assert.ok(await load.stop(), `what was sent was not acknowledged, although nothing stood in the way\n${load.state}`)
    assert.deepEqual(cluster.fallen(), [], 'brokers ended by themselves')
    await transactions?.settle()
    await readFinals(load.history, [...load.places, ...(transactions?.places ?? [])], (id) => cluster.observed[id - 1]!)
    const violations = check(load.history)
    if (violations.length === 0) await load.removeTopics()
    return {
      fault, effect: [effect, ...(transactions === undefined ? [] : [transactions.summary])].join('; '), recoveryMs, violations, acknowledged: load.acknowledged, attempts: load.history.attempts.length,
      quietGapMs: load.longestGapMs({ start: quietFrom, end: scene.begunAt }),
      ...gapsOf(fault, { scene, end, gapFactor }),
    }
  } finally {
    hangUpFinals()
    cluster.heal()
    void transactions?.stop()
    void load.stop()
  }
}

function gapsOf(
  { gapMsMax, elsewhereMsMax }: Fault, { scene, end, gapFactor }: { readonly scene: Scene; readonly end: number; readonly gapFactor: number },
): Pick<Episode, 'gapMs' | 'gapMsMax' | 'elsewhere'> {
  const span = { start: scene.begunAt, end }
  const allowed = gapMsMax === undefined ? undefined : gapMsMax * gapFactor
  if (elsewhereMsMax === undefined) return { gapMs: scene.load.longestGapMs(span), gapMsMax: allowed, elsewhere: undefined }
  return {
    gapMs: scene.load.longestGapMs(span, (partition) => scene.led.includes(partition)), gapMsMax: allowed,
    elsewhere: { gapMs: scene.load.longestGapMs(span, (partition) => !scene.led.includes(partition)), gapMsMax: elsewhereMsMax * gapFactor },
  }
}

async function lasting(fault: Fault, { seconds = fault.seconds }: EpisodeOptions, ongoing: Awaited<ReturnType<Fault['begin']>>): Promise<string> {
  let left: string | void
  let effect: string
  try {
    await sleep((fault.seconds === 0 ? 0 : seconds) * 1000)
    effect = await ongoing.effect()
  } finally {
    left = await ongoing.end()
  }
  return left === undefined ? effect : `${effect}; ${left}`
}

async function allInSync(scene: Pick<Scene, 'cluster' | 'load'>, withinMs: number): Promise<void> {
  let states = await partitionsNow(scene)
  for (const until = performance.now() + withinMs; performance.now() < until; await sleep(100)) {
    states = await partitionsNow(scene)
    const isWhole = states.length === scene.load.places.length && states.every(({ isr, leader }) => isr.length === brokerIds.length && leader >= 0)
    if (isWhole) return
  }
  assert.fail(`not in sync within ${withinMs} ms: ${JSON.stringify(states)}`)
}
