// Reads history: offset -> row of the manifest -> segment, and on over the borders of segments until the fetch has
// what it asked for, or its time is over. What is ready by then is returned; what is not goes on being fetched.

import type { AbortedTransaction } from '../log/sealed-segment.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Budget } from '../runtime/budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ColdPace } from './cold-pace.ts'
import type { Manifest } from './manifest.ts'
import { distinctAborted } from './object-sections.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { SegmentBatches, TierIo } from './tier-io.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { valueWithin } from './within.ts'

export interface ColdRead {
  readonly offset: number
  /** No batch that begins here or later; the high watermark or the last stable offset. */
  readonly endOffset: number
  readonly bytesMax: number
  /** The first batch is wanted even where it alone is larger than `bytesMax`. */
  readonly minOneBatch: boolean
  /** Monotonic. */
  readonly deadlineMs: number
}

export type ColdReadResult =
  | {
      readonly kind: 'batches'
      /** Whole batches from the one that holds `offset` on, in order; empty where the first is larger than allowed. */
      readonly batches: readonly Buffer[]
      readonly bytes: number
      /** Where to read on. */
      readonly nextOffset: number
      /** All that have records or marker in what was read. */
      readonly aborted: readonly AbortedTransaction[]
      /** Gives the memory of `batches` back once nobody can see it any more. */
      release(): void
    }
  /** Not ready in time: answer with nothing and without an error, and the client asks again. */
  | { readonly kind: 'pending' }
  /** The tier has nothing at `offset` or behind it: the log goes on at `nextOffset`, which is behind it where compaction left a gap. */
  | { readonly kind: 'local'; readonly nextOffset: number }
  /** The manifest, read in this term, says that the log starts later. */
  | { readonly kind: 'below start'; readonly logStartOffset: number }
  /** A retriable refusal: the bytes are somewhere, but not to be had now. */
  | { readonly kind: 'refused'; readonly error: ErrorCode; readonly cause: TierError }

export interface ColdReaderOptions {
  readonly manifest: Manifest
  readonly io: TierIo
  readonly clock: Clock
  /** Of bytes, shared by all partitions of the broker. */
  readonly budget: Budget
  /** Of bytes in a second, shared by all partitions of the broker. */
  readonly pace: ColdPace
  readonly limits: ColdReadLimits
}

export interface ColdReadLimits {
  /** Bytes that one read returns at most, however many are asked for. */
  readonly readBytesMax: number
  /** Where fewer bytes of a segment are left, the next one is fetched ahead. */
  readonly readAheadBytes: number
  /** How long a segment that was found damaged is not read again, in milliseconds. */
  readonly damageHoldMs: number
}

interface Reading {
  offset: number
  bytesLeft: number
  readonly batches: Buffer[]
  readonly releases: (() => void)[]
  readonly aborted: AbortedTransaction[]
}

export class ColdReader {
  readonly #options: ColdReaderOptions
  #damaged: { readonly key: string; readonly until: number; readonly error: TierError } | undefined

  constructor(options: ColdReaderOptions) {
    this.#options = options
  }

  async read(request: ColdRead): Promise<ColdReadResult> {
    const bytesMax = Math.min(request.bytesMax, this.#options.limits.readBytesMax)
    const reading: Reading = { offset: request.offset, bytesLeft: bytesMax, batches: [], releases: [], aborted: [] }
    const { clock, pace } = this.#options
    if (!(await pace.take(bytesMax, request.deadlineMs))) return { kind: 'pending' }
    try {
      // A read that is given up ends by itself; what it would have failed with comes again with the next one.
      const done = await valueWithin(clock, request.deadlineMs, this.#readOn(request, reading))
      if (done !== undefined && reading.batches.length === 0) return done
    } catch (cause) {
      if (reading.batches.length === 0) return refusal(tierErrorOf('reading', cause))
    } finally {
      pace.settle(bytesMax, bytesIn(reading.batches))
    }
    // What was ready in time; a failure behind it comes up when the client asks for that.
    const { batches, releases, offset: nextOffset } = reading
    if (batches.length === 0) return { kind: 'pending' }
    const bytes = bytesIn(batches)
    const aborted = distinctAborted(reading.aborted)
    return { kind: 'batches', batches: [...batches], bytes, nextOffset, aborted, release: releaseAll([...releases]) }
  }

  /** Adds to `reading` segment by segment. What it returns counts only where nothing was read. */
  async #readOn(request: ColdRead, reading: Reading): Promise<ColdReadResult> {
    const { clock, manifest } = this.#options
    while (reading.bytesLeft > 0 && reading.offset < request.endOffset) {
      if (clock.monotonic() > request.deadlineMs) return { kind: 'pending' }
      if (!manifest.isCurrent) await manifest.refresh()
      const { head } = manifest
      if (head !== undefined && reading.offset < head.logStart) return { kind: 'below start', logStartOffset: head.logStart }
      if (head === undefined || reading.offset >= head.tieredEnd) return { kind: 'local', nextOffset: reading.offset }
      const { segment, found } = await this.#readAt(request, reading)
      if (found.isPending && found.batches.length === 0) return { kind: 'pending' }
      if (found.nextOffset === reading.offset) break
      if (clock.monotonic() > request.deadlineMs) return { kind: 'pending' }
      take(reading, found)
      if (found.isPending) break
      if (found.bytesLeft < this.#options.limits.readAheadBytes) this.#readAheadOf(segment)
    }
    return { kind: 'batches', batches: [], bytes: 0, nextOffset: reading.offset, aborted: [], release() {} }
  }

  /**
   * Compaction may have put another row in the place of one that is remembered here, and its object may be gone by now: whoever
   * finds it missing looks the row up anew, once.
   */
  async #readAt(request: ColdRead, reading: Reading): Promise<{ readonly segment: TieredSegment; readonly found: SegmentBatches }> {
    const { manifest } = this.#options
    const segment = await this.#segmentAt(reading.offset)
    try {
      return { segment, found: await this.#readSegment(segment, request, reading) }
    } catch (cause) {
      if (!(cause instanceof TierError && cause.code === 'missing')) throw cause
      await manifest.refresh()
      const other = await this.#segmentAt(reading.offset)
      if (other.key === segment.key) throw cause
      return { segment: other, found: await this.#readSegment(other, request, reading) }
    }
  }

  async #segmentAt(offset: number): Promise<TieredSegment> {
    const { manifest } = this.#options
    const segment = await manifest.find(offset)
    if (segment !== undefined) return segment
    manifest.doubt()
    throw new TierError('damaged', `offset ${offset} is within the tier, and no row of the manifest holds it`)
  }

  async #readSegment(segment: TieredSegment, request: ColdRead, reading: Reading): Promise<SegmentBatches> {
    const { clock, io, budget, limits } = this.#options
    const held = this.#damaged
    if (held?.key === segment.key && clock.monotonic() < held.until) throw held.error
    const { offset, bytesLeft: bytesMax } = reading
    const minOneBatch = request.minOneBatch && reading.batches.length === 0
    try {
      return await budget.use({ units: bytesMax }, () => {
        const waitMs = Math.max(0, request.deadlineMs - clock.monotonic())
        return io.read({ segment, offset, endOffset: request.endOffset, bytesMax, minOneBatch, waitMs })
      })
    } catch (cause) {
      const error = tierErrorOf(`reading ${segment.key}`, cause)
      if (error.code === 'damaged') this.#damaged = { key: segment.key, until: clock.monotonic() + limits.damageHoldMs, error }
      // Someone else may have retired the row: it is looked up anew by whoever asks next.
      if (error.code === 'missing') this.#options.manifest.doubt()
      throw error
    }
  }

  #readAheadOf(segment: TieredSegment): void {
    const { manifest, io, limits } = this.#options
    if (manifest.head === undefined || segment.endOffset >= manifest.head.tieredEnd) return
    manifest.find(segment.endOffset).then((next) => next && io.readAhead(next, limits.readAheadBytes), () => {})
  }
}

function bytesIn(batches: readonly Buffer[]): number {
  return batches.reduce((sum, { length }) => sum + length, 0)
}

function refusal(cause: TierError): ColdReadResult {
  return cause.code === 'busy' ? { kind: 'pending' } : { kind: 'refused', error: ErrorCode.KAFKA_STORAGE_ERROR, cause }
}

function take(reading: Reading, found: SegmentBatches): void {
  if (found.batches.length > 0) reading.batches.push(found.batches)
  if (found.release !== undefined) reading.releases.push(found.release)
  reading.bytesLeft = Math.max(0, reading.bytesLeft - found.batches.length)
  reading.offset = found.nextOffset
  reading.aborted.push(...found.aborted)
}

function releaseAll(releases: readonly (() => void)[]): () => void {
  return () => {
    for (const release of releases) release()
  }
}
