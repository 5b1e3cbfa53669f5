// One pass of compaction over one partition of the tier (DESIGN.md 6): the function that a broker runs on its leader, and
// that a function in the cloud can run as well. It needs the manifest, the calls of `CompactionIo`, a clock and dice, and
// knows nothing of brokers.
//
//   pin the head -> learn the keys of the dirty rows -> for each group of rows, from the log's start on:
//     intent (table) -> object (store) -> read back -> ... -> swap (table), and the rows' objects are on their way out
//
// How far it came is in the head, so whoever is killed is gone on from where the last swap was. Two at once are harmless:
// of two swaps of one generation one fails, and who fails gives up what it has stored. Rows are rewritten in ascending
// order, so a tombstone can only go once all that it deletes is gone.

import type { Clock } from '../../runtime/clock.ts'
import { newUuid, type Random, type Uuid } from '../../runtime/random.ts'
import type { CompactionState, ManifestHead, UploadIntent } from '../manifest-items.ts'
import type { Manifest, PinnedRow } from '../manifest.ts'
import { objectKey } from '../object-key.ts'
import { retireIntents } from '../retirement.ts'
import { TierError } from '../tier-error.ts'
import type { CompactionConfig } from '../tier-source.ts'
import type { TieredSegment } from '../tiered-segment.ts'
import type { CompactionCounts, CompactionIo, FilledObject } from './compaction-io.ts'
import { type CompactionReason, isUnderWay, notCompacted, surveyRows, whyCompact } from './plan.ts'
import { intend, note, swapRows } from './swap.ts'

export interface CompactionOptions {
  readonly manifest: Manifest
  readonly io: CompactionIo
  readonly clock: Clock
  readonly random: Random
  readonly clusterId: string
  readonly config: CompactionConfig
  readonly limits: CompactionLimits
  /** Once it aborts, the pass ends at the next step; what it has swapped stands. */
  readonly signal: AbortSignal
}

export interface CompactionLimits {
  /** Bytes of batches of one new object. */
  readonly compactionObjectBytes: number
  /** Rows, and bytes of batches, that one swap replaces; one row alone may be larger. */
  readonly compactionGroupRowsMax: number
  readonly compactionGroupBytesMax: number
  /** Dirty rows that one pass has to do with; what is behind them waits for the next one. */
  readonly compactionDirtyRowsMax: number
}

export type CompactionEnd =
  /** Nothing is due. */
  | { readonly kind: 'idle' }
  | (CompactionFigures & {
    /** `beaten`: somebody else has changed the manifest, and what was stored is given up. `stopped`: the signal. */
    readonly kind: 'done' | 'beaten' | 'stopped'
  })

export interface CompactionFigures {
  readonly why: CompactionReason
  readonly swaps: number
  readonly rowsIn: number
  readonly rowsOut: number
  /** Of the batches of those rows. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly keys: number
  readonly recordsIn: number
  readonly recordsOut: number
  /** Batches that could not be opened. */
  readonly unreadable: number
  readonly tookMs: number
}

/** Throws `TierError`; what was swapped before stands, and the next call goes on behind it. */
export async function compactPartition(options: CompactionOptions): Promise<CompactionEnd> {
  const { manifest, clock, config, limits } = options
  const now = clock.now()
  const head = await manifest.refresh()
  if (head === undefined || head.segments === 0) return { kind: 'idle' }
  const survey = await surveyRows(manifest, head, { config, now, dirtyRowsMax: limits.compactionDirtyRowsMax })
  const why = whyCompact(head, survey, { config, now })
  if (why === undefined) return { kind: 'idle' }
  const pass = new Pass(options, { head, dirty: survey.dirty, why, now })
  return pass.run()
}

interface Begun {
  readonly head: ManifestHead
  readonly dirty: readonly TieredSegment[]
  readonly why: CompactionReason
  readonly now: number
}

interface Group {
  readonly inputs: readonly PinnedRow[]
  readonly before: TieredSegment | undefined
}

class Pass {
  readonly #options: CompactionOptions
  readonly #begun: Begun
  readonly #session: Uuid
  readonly #startedAt: number
  #pin: { readonly epoch: number; readonly generation: number }
  #state: CompactionState
  #atEnd: TieredSegment | undefined
  /** Of what was stored since the last swap. */
  #intents: UploadIntent[] = []
  readonly #sums = { swaps: 0, rowsIn: 0, rowsOut: 0, bytesIn: 0, bytesOut: 0, keys: 0 }
  #counts: CompactionCounts | undefined

  constructor(options: CompactionOptions, begun: Begun) {
    this.#options = options
    this.#begun = begun
    this.#session = newUuid(options.random)
    this.#startedAt = options.clock.monotonic()
    this.#pin = begun.head
    this.#state = begun.head.compaction ?? notCompacted
  }

  async run(): Promise<CompactionEnd> {
    const { io, signal } = this.#options
    // What is under way where the bytes are fails with the session, and with it what waits for that here.
    const end = () => void io.closeCompaction(this.#session).catch(() => {})
    signal.addEventListener('abort', end, { once: true })
    let kind: 'done' | 'beaten' | 'stopped'
    try {
      kind = await this.#run()
    } catch (cause) {
      if (!signal.aborted) throw cause
      kind = 'stopped'
    } finally {
      signal.removeEventListener('abort', end)
      this.#counts = await io.closeCompaction(this.#session).catch(() => undefined)
      await this.#giveUp()
    }
    const { recordsRead: recordsIn = 0, recordsKept: recordsOut = 0, unreadable = 0 } = this.#counts ?? {}
    const tookMs = this.#options.clock.monotonic() - this.#startedAt
    return { kind, why: this.#begun.why, ...this.#sums, recordsIn, recordsOut, unreadable, tookMs }
  }

  async #run(): Promise<'done' | 'beaten' | 'stopped'> {
    await this.#learn()
    for (;;) {
      if (this.#options.signal.aborted) return 'stopped'
      const group = await this.#nextGroup()
      if (group === undefined) return (await note(this.#options.manifest, this.#pin, this.#finished(-1))) ? 'done' : 'beaten'
      const swapped = await this.#rewrite(group)
      if (swapped !== 'on') return swapped
    }
  }

  /** Settles where the pass ends, and where it begins or goes on. Throws `TierError`. */
  async #learn(): Promise<void> {
    const { manifest, io, config } = this.#options
    const { head, dirty, now } = this.#begun
    const { cleanedEnd, passEnd } = this.#state
    const isResumed = isUnderWay(this.#state)
    const wanted = isResumed ? passEnd : Math.max(dirty.at(-1)?.endOffset ?? 0, cleanedEnd)
    const startOffset = Math.max(cleanedEnd, head.logStart)
    const rows = dirty.filter((row) => row.baseOffset < wanted)
    const learnt = await io.openCompaction({
      session: this.#session, topicId: manifest.id.topicId, partition: manifest.id.partition, dirty: rows,
      startOffset, endOffset: wanted, now, deleteRetentionMs: config.deleteRetentionMs,
    })
    if (rows.length > 0 && learnt.endOffset <= startOffset) {
      throw new TierError('busy', `the map of keys has no room for those of one batch at ${startOffset}`)
    }
    this.#sums.keys = learnt.keys
    // With less room than whoever began it had, it is begun anew: then fewer offsets are covered, and from the first row on.
    const goesOn = isResumed && learnt.endOffset >= wanted
    const end = Math.max(Math.min(learnt.endOffset, wanted), cleanedEnd)
    this.#state = goesOn ? this.#state : { ...this.#state, passEnd: end, passNext: 0, passHorizonMs: -1 }
    this.#atEnd = await manifest.floor(this.#state.passEnd - 1)
  }

  /** The next rows of the pass; undefined: there are none. */
  async #nextGroup(): Promise<Group | undefined> {
    const { manifest, limits } = this.#options
    const { passEnd, passNext } = this.#state
    const from = Math.max(passNext, await this.#firstRowAt())
    const rows = await manifest.pinnedRowsFrom(from, limits.compactionGroupRowsMax)
    const inputs: PinnedRow[] = []
    let bytes = 0
    for (const one of rows) {
      bytes += one.row.batchesBytes
      if (one.row.baseOffset >= passEnd || (inputs.length > 0 && bytes > limits.compactionGroupBytesMax)) break
      inputs.push(one)
    }
    const first = inputs[0]?.row
    if (first === undefined) return undefined
    const before = first.baseOffset === 0 ? undefined : await manifest.floor(first.baseOffset - 1)
    return { inputs, before: before?.endOffset === first.baseOffset ? before : undefined }
  }

  /** Rows below are on their way out. */
  async #firstRowAt(): Promise<number> {
    const { head } = this.#begun
    if (head.logStart === 0) return 0
    return (await this.#options.manifest.floor(head.logStart))?.baseOffset ?? 0
  }

  async #rewrite({ inputs, before }: Group): Promise<'on' | 'done' | 'beaten' | 'stopped'> {
    const { manifest, io, clock, limits, signal } = this.#options
    const rows = inputs.map(({ row }) => row)
    const { passEnd } = this.#state
    const objectBytes = limits.compactionObjectBytes
    await io.beginGroup({ session: this.#session, rows, before, passEnd, atEnd: this.#atEnd ?? rows.at(-1)!, objectBytes })
    const outputs: TieredSegment[] = []
    let horizonMs = -1
    for (;;) {
      if (signal.aborted) return 'stopped'
      const filled = await io.nextObject(this.#session)
      if (filled === undefined) break
      horizonMs = earlier(horizonMs, filled.horizonMs)
      const soFar = outputs.at(-1)?.maxTimestampSoFar ?? before?.maxTimestampSoFar ?? -1
      const output = await this.#store(filled, soFar)
      if (output === undefined) return 'beaten'
      outputs.push(output)
    }
    const end = rows.at(-1)!.endOffset
    const compaction = end >= passEnd ? this.#finished(horizonMs) : this.#advanced(end, horizonMs)
    const swap = { inputs, outputs, intents: this.#intents, compaction, now: clock.now() }
    if (!(await swapRows(manifest, this.#pin, swap))) return 'beaten'
    this.#intents = []
    this.#pin = { ...this.#pin, generation: this.#pin.generation + 1 }
    this.#state = compaction
    this.#sum(rows, outputs)
    return end >= passEnd ? 'done' : 'on'
  }

  /** Undefined: the pin does not hold any more. */
  async #store(filled: FilledObject, soFar: number): Promise<TieredSegment | undefined> {
    const { manifest, io, clock, random, clusterId } = this.#options
    const { baseOffset, endOffset, epoch, sealedAt } = filled
    const uuid = newUuid(random)
    const generation = this.#pin.generation + 1
    const key = objectKey({ clusterId, ...manifest.id, baseOffset, endOffset, epoch, generation, uuid })
    // Of whoever compacts, and not of whoever once uploaded: a later leader sweeps what is left of it.
    const intent: UploadIntent = { uuid, key, baseOffset, endOffset, epoch: Math.max(this.#pin.epoch, 0), startedAt: clock.now() }
    this.#intents.push(intent)
    if (!(await intend(manifest, this.#pin, intent))) return undefined
    const object = await io.storeObject({ session: this.#session, key, generation })
    const maxTimestampSoFar = Math.max(soFar, object.maxTimestamp)
    return { ...object, key, baseOffset, endOffset, epoch, generation, sealedAt, maxTimestampSoFar }
  }

  #advanced(passNext: number, horizonMs: number): CompactionState {
    return { ...this.#state, passNext, passHorizonMs: earlier(this.#state.passHorizonMs, horizonMs) }
  }

  #finished(horizonMs: number): CompactionState {
    const { passEnd, passHorizonMs } = this.#state
    return { cleanedEnd: passEnd, passEnd, passNext: 0, horizonMs: earlier(passHorizonMs, horizonMs), passHorizonMs: -1 }
  }

  #sum(rows: readonly TieredSegment[], outputs: readonly TieredSegment[]): void {
    this.#sums.swaps++
    this.#sums.rowsIn += rows.length
    this.#sums.rowsOut += outputs.length
    this.#sums.bytesIn += rows.reduce((total, { batchesBytes }) => total + batchesBytes, 0)
    this.#sums.bytesOut += outputs.reduce((total, { batchesBytes }) => total + batchesBytes, 0)
  }

  /** Sends what was stored for nothing on its way out. Where that fails the sweep finds the intents. */
  async #giveUp(): Promise<void> {
    const { manifest, clock } = this.#options
    if (this.#intents.length === 0) return
    try {
      const head = await manifest.refresh()
      // Only what is written down can be taken away, and a later epoch has a sweep of its own.
      if (head !== undefined && head.epoch === this.#pin.epoch) {
        const known = new Set((await manifest.intents()).map(({ uuid }) => uuid))
        await retireIntents(manifest, this.#intents.filter(({ uuid }) => known.has(uuid)), clock.now())
      }
    } catch (cause) {
      if (!(cause instanceof TierError)) throw cause
    }
  }
}

function earlier(one: number, other: number): number {
  if (one < 0 || other < 0) return Math.max(one, other)
  return Math.min(one, other)
}
