// The one writer of a log. Appends that arrive while a write is under way wait, and are then written together: one
// gathering write and one sync for all of them, however many clients they came from.
//
//   admitted → waiting → written → synced (durability fsync) → indexed, readable → answered
//
// A write that fails is undone before anything else is written. A sync that fails ends the log: the kernel may have
// dropped the pages and marked them clean, so that trying again would succeed and mean nothing.

import type { RecordBatch } from '../protocol/record-batch.ts'
import { DiskError, type DiskFile } from '../runtime/disk.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'

/** Of one write; more waits for the next one. */
const groupBytesMax = 8 * 1024 * 1024
const groupBatchesMax = 1024

export interface WriterOptions {
  readonly segments: SegmentList
  readonly isSynced: boolean
  segmentBytesMax(): number
  /** Wall clock, milliseconds. */
  now(): number
  /** The batches are on disk, as durable as asked for; index them and let them be read. */
  onWritten(segment: Segment, batches: readonly Positioned[]): void
  /** A segment was sealed at this offset, and a new one is open. */
  onSealed(segment: Segment, endOffset: number): void
  /** Everything that was admitted and not written is gone; nothing was kept of it. */
  onFailed(cause: unknown): void
  /** Nothing can be written ever again. */
  onStopped(cause: unknown): void
}

export interface Positioned {
  readonly batch: RecordBatch
  readonly position: number
}

export class LogWriter {
  readonly #options: WriterOptions
  #waiting: RecordBatch[] = []
  #file: DiskFile | undefined
  #open: Segment | undefined
  #isScheduled = false
  #isStopped = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: WriterOptions) {
    this.#options = options
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Hands a stamped batch on; `onWritten` or `onFailed` tells what became of it. */
  add(batch: RecordBatch): void {
    this.#waiting.push(batch)
    if (this.#isScheduled) return
    this.#isScheduled = true
    void this.exclusively(() => this.#writeAll())
  }

  /** Runs between two writes. Rejects with what `run` throws. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #writeAll(): Promise<void> {
    this.#isScheduled = false
    while (this.#waiting.length > 0 && !this.#isStopped) {
      try {
        await this.#writeGroup()
      } catch (cause) {
        await this.#fail(cause)
      }
    }
  }

  async #writeGroup(): Promise<void> {
    const segment = await this.#segmentFor(this.#waiting[0]!)
    const group = this.#takeGroup(segment)
    const buffers = group.map(({ batch }) => batch.bytes)
    await this.#file!.write(buffers, segment.bytes)
    if (this.#options.isSynced) await this.#sync(this.#file!)
    const last = group.at(-1)!
    segment.bytes = last.position + last.batch.bytes.length
    this.#options.onWritten(segment, group)
  }

  /** As many waiting batches as one write takes and the segment has room for; at least one. */
  #takeGroup(segment: Segment): Positioned[] {
    const room = Math.min(this.#options.segmentBytesMax() - segment.bytes, groupBytesMax)
    const group: Positioned[] = []
    let bytes = 0
    for (const batch of this.#waiting) {
      if (group.length > 0 && (bytes + batch.bytes.length > room || group.length === groupBatchesMax)) break
      group.push({ batch, position: segment.bytes + bytes })
      bytes += batch.bytes.length
    }
    this.#waiting = this.#waiting.slice(group.length)
    return group
  }

  async #segmentFor(batch: RecordBatch): Promise<Segment> {
    const active = this.#options.segments.active
    const isFull = active !== undefined && active.bytes > 0 && active.bytes + batch.bytes.length > this.#options.segmentBytesMax()
    if (active === undefined || isFull) await this.roll(batch.baseOffset)
    const segment = this.#options.segments.active!
    segment.firstAppendAt ??= this.#options.now()
    if (this.#open !== segment) await this.#openFile(segment)
    return segment
  }

  /** Seals the open segment and makes the next one. Only between two writes. */
  async roll(baseOffset: number): Promise<void> {
    const sealed = this.#options.segments.active
    await this.#options.segments.add(baseOffset)
    if (sealed !== undefined) this.#options.onSealed(sealed, baseOffset)
  }

  async #openFile(segment: Segment): Promise<void> {
    this.#open?.release()
    this.#open = undefined
    this.#file = await segment.acquire()
    this.#open = segment
  }

  async #sync(file: DiskFile): Promise<void> {
    try {
      await file.sync()
    } catch (cause) {
      this.stop(cause)
      throw cause
    }
  }

  /** Undoes what a failed write left behind. */
  async #fail(cause: unknown): Promise<void> {
    this.#waiting = []
    if (!this.#isStopped && this.#file !== undefined && cause instanceof DiskError) {
      try {
        await this.#file.truncate(this.#open!.bytes)
      } catch (truncation) {
        this.stop(truncation)
      }
    }
    this.#options.onFailed(cause)
  }

  stop(cause: unknown): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#waiting = []
    this.#options.onStopped(cause)
  }

  /** Lets go of the file, once everything that was added is written. */
  close(): Promise<void> {
    return this.exclusively(async () => {
      this.#open?.release()
      this.#open = undefined
      this.#file = undefined
      this.#isStopped = true
    })
  }
}
