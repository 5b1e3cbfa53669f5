// Compaction of one partition in one term of its leader: when it is looked at, and what becomes of a pass. It never rejects.

import { backoffMs } from '../../runtime/backoff.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import type { Manifest } from '../manifest.ts'
import { tierErrorOf } from '../tier-error.ts'
import type { OnTierEvent } from '../tier-events.ts'
import type { CompactionConfig } from '../tier-source.ts'
import { compactPartition, type CompactionLimits } from './compact-partition.ts'
import type { CompactionFigureSums } from './compaction-figures.ts'
import type { CompactionIo } from './compaction-io.ts'
import { notCompacted } from './plan.ts'

export interface PartitionCompactionLimits extends CompactionLimits {
  /** A partition in which nothing has changed is looked at so often, in milliseconds, for what has become old enough. */
  readonly compactionIdleMs: number
  /** And where it has a shorter lag than that, not more often than so. */
  readonly compactionIdleMsMin: number
  /** After a pass that failed the next one waits at most so long, and at most twice as long after each further one, in milliseconds. */
  readonly compactionRetryMs: number
  readonly compactionRetryMsMax: number
}

export interface PartitionCompactionOptions {
  /** `topic-3` */
  readonly name: string
  readonly manifest: Manifest
  readonly io: CompactionIo
  readonly clock: Clock
  readonly random: Random
  readonly clusterId: string
  readonly limits: PartitionCompactionLimits
  readonly figures: CompactionFigureSums
  readonly onEvent: OnTierEvent
  /** Undefined: the topic is not compacted. */
  config(): CompactionConfig | undefined
  /** Whether ages may be counted: tombstones go by them. */
  isClockTrusted(): boolean
}

/** By which manifest and settings nothing was due. */
interface Idle {
  readonly tieredEnd: number
  readonly generation: number
  readonly settings: string
  readonly wallMs: number
  /** Until when that holds; monotonic. */
  readonly until: number
}

/** Until what was too young to be compacted, or to be compacted for that alone, may be old enough, in milliseconds. */
function idleMs({ lagMsMin, lagMsMax }: CompactionConfig, { compactionIdleMs, compactionIdleMsMin }: PartitionCompactionLimits): number {
  return Math.max(compactionIdleMsMin, Math.min(compactionIdleMs, lagMsMin === 0 ? Infinity : lagMsMin, lagMsMax))
}

export class PartitionCompaction {
  readonly #options: PartitionCompactionOptions
  readonly #stopping = new AbortController()
  #idle: Idle | undefined
  #failures = 0
  #retryAt = -Infinity
  #running: Promise<void> | undefined

  constructor(options: PartitionCompactionOptions) {
    this.#options = options
  }

  /** Whether a pass may be due: costs nothing, and is asked every few seconds. */
  get mayBeDue(): boolean {
    const { manifest, clock, config, isClockTrusted } = this.#options
    const { head } = manifest
    const settings = config()
    if (this.#stopping.signal.aborted || this.#running !== undefined || settings === undefined || !isClockTrusted()) return false
    if (!manifest.isClaimed || head === undefined || head.segments === 0) return false
    const now = clock.monotonic()
    if (now < this.#retryAt || this.#idle === undefined || now >= this.#idle.until) return now >= this.#retryAt
    const { tieredEnd, generation, wallMs } = this.#idle
    const { horizonMs } = head.compaction ?? notCompacted
    const isOver = horizonMs > wallMs && horizonMs <= clock.now()
    return isOver || tieredEnd !== head.tieredEnd || generation !== head.generation || this.#idle.settings !== JSON.stringify(settings)
  }

  /** Resolves once a pass is over, or where none is due. */
  run(): Promise<void> {
    if (!this.mayBeDue) return this.#running ?? Promise.resolve()
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Ends a pass at its next step, and lets no other begin. Resolves once it is over. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { name, manifest, clock, random, limits, figures, onEvent, config } = this.#options
    const settings = config()
    if (settings === undefined) return
    figures.begin()
    try {
      const end = await compactPartition({ ...this.#options, config: settings, signal: this.#stopping.signal })
      this.#failures = 0
      const { head } = manifest
      if (end.kind !== 'idle') {
        figures.add(end)
        onEvent({ partition: name, ...end, kind: 'compacted', end: end.kind })
      } else if (head !== undefined) {
        const { tieredEnd, generation } = head
        this.#idle = {
          tieredEnd, generation, settings: JSON.stringify(settings), wallMs: clock.now(),
          until: clock.monotonic() + idleMs(settings, limits),
        }
      }
    } catch (cause) {
      figures.fail()
      const { compactionRetryMs: firstMs, compactionRetryMsMax: maxMs } = limits
      this.#retryAt = clock.monotonic() + backoffMs(++this.#failures, { firstMs, maxMs, random })
      onEvent({ kind: 'task failed', partition: name, task: 'compaction', error: tierErrorOf('compacting', cause) })
    } finally {
      figures.end()
    }
  }
}
