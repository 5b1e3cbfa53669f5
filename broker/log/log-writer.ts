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
  /** Where a log without segments begins. */
  beginsAt(): number
  /** Wall clock, milliseconds. */
  now(): number
  /** The batches are on disk, as durable as asked for; index them and let them be read. */
  onWritten(segment: Segment, batches: readonly Positioned[]): void
  /** A segment was sealed at this offset, and a new one is open. */
  onSealed(segment: Segment, endOffset: number): void
  /** Everything that was admitted and not written is gone; nothing was kept of it. The next append may succeed. */
  onFailed(cause: unknown): void
  /** Nothing can be written ever again; what was admitted and not written may be found by the next recovery, or not. */
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
  /** A new segment could not be made, and its file may be there: nothing may go behind its base offset elsewhere. */
  #mustRoll = false
  /** Resolves when the write that is under way has ended. */
  #writing: Promise<void> | undefined
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
    await this.#write(buffers, segment.bytes)
    if (this.#options.isSynced && !this.#isStopped) await this.#sync(this.#file!)
    // It stopped meanwhile, and these were answered as failed.
    if (this.#isStopped) return
    const last = group.at(-1)!
    segment.bytes = last.position + last.batch.bytes.length
    this.#options.onWritten(segment, group)
  }

  async #write(buffers: readonly Buffer[], position: number): Promise<void> {
    const written = Promise.withResolvers<void>()
    this.#writing = written.promise
    try {
      await this.#file!.write(buffers, position)
    } finally {
      this.#writing = undefined
      written.resolve()
    }
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
    const isFull = active !== undefined && active.bytes + batch.bytes.length > this.#options.segmentBytesMax()
    // An empty one begins where the next one would: both would be the same file.
    // Of a compacted log the first batch may lie behind where the log begins, and nobody else has what is before it.
    if (active === undefined) await this.roll(Math.min(batch.baseOffset, this.#options.beginsAt()))
    else if (active.bytes > 0 && (isFull || this.#mustRoll)) await this.roll(batch.baseOffset)
    const segment = this.#options.segments.active!
    segment.firstAppendAt ??= this.#options.now()
    if (this.#open !== segment) await this.#openFile(segment)
    return segment
  }

  /** Seals the open segment and makes the next one. Only between two writes. */
  async roll(baseOffset: number): Promise<void> {
    const { segments } = this.#options
    const sealed = segments.active
    this.#mustRoll = true
    const segment = await segments.create(baseOffset)
    await this.#stopUnless(() => segments.syncDirectory())
    segments.add(segment)
    this.#mustRoll = false
    if (sealed !== undefined) this.#options.onSealed(sealed, baseOffset)
  }

  async #openFile(segment: Segment): Promise<void> {
    this.letGo()
    this.#file = await segment.acquire()
    this.#open = segment
  }

  /** Gives the file back: the segments are about to change. Only between two writes. */
  letGo(): void {
    this.#open?.release()
    this.#open = undefined
    this.#file = undefined
  }

  /** The segments were made anew of the files: what a roll that failed has left is on the list, or gone. */
  begin(): void {
    this.#mustRoll = false
  }

  #sync(file: DiskFile): Promise<void> {
    return this.#stopUnless(() => file.sync())
  }

  async #stopUnless(sync: () => Promise<void>): Promise<void> {
    try {
      await sync()
    } catch (cause) {
      this.stop(cause)
      throw cause
    }
  }

  /** Undoes what a failed write left behind, durably: a crash must not find it under what is written next. */
  async #fail(cause: unknown): Promise<void> {
    if (!(cause instanceof DiskError)) this.stop(cause)
    const file = this.#file
    if (!this.#isStopped && file !== undefined) {
      await this.#stopUnless(async () => {
        await file.truncate(this.#open!.bytes)
        await file.sync()
      }).catch(() => {})
    }
    // Now, not earlier: what was admitted during the truncation has offsets behind those that failed.
    this.#waiting = []
    if (!this.#isStopped) this.#options.onFailed(cause)
  }

  /** Nothing is written any more: not even what waits. */
  stop(cause: unknown): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#waiting = []
    // Whoever is answered takes the memory of its records back, and a write may be reading from it.
    if (this.#writing === undefined) this.#options.onStopped(cause)
    else void this.#writing.then(() => this.#options.onStopped(cause))
  }

  /** Lets go of the file, once everything that was added is written. */
  close(): Promise<void> {
    return this.exclusively(async () => {
      this.letGo()
      this.#isStopped = true
    })
  }
}
