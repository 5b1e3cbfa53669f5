// The segments of a log in order; the last one is open, unless there is none yet.

import { strict as assert } from 'node:assert'
import type { Disk } from '../runtime/disk.ts'
import { Segment } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

export class SegmentList {
  readonly #disk: Disk
  readonly #directory: string
  /** Never changed, always replaced: whoever walks along it while it waits sees the list as it was. */
  #segments: readonly Segment[]

  constructor(options: { readonly disk: Disk; readonly directory: string; readonly segments: readonly Segment[] }) {
    this.#disk = options.disk
    this.#directory = options.directory
    this.#segments = options.segments
  }

  get all(): readonly Segment[] {
    return this.#segments
  }

  /** The one that is appended to. */
  get active(): Segment | undefined {
    return this.#segments.at(-1)
  }

  get bytes(): number {
    let bytes = 0
    for (const segment of this.#segments) bytes += segment.bytes
    return bytes
  }

  /** Makes the file of a new segment, which is on the list only after `syncDirectory` and `add`. */
  async create(baseOffset: number): Promise<Segment> {
    this.#assertBehind(baseOffset)
    const segment = new Segment({
      disk: this.#disk, directory: this.#directory, baseOffset, bytes: 0, index: new SegmentIndex(), maxTimestamp: -1, abortedCount: 0,
    })
    const file = await this.#disk.open(segment.path, { create: true })
    try {
      // What a crash left behind under this name was never acknowledged: recovery would have found it otherwise.
      await file.truncate(0)
    } finally {
      await file.close()
    }
    return segment
  }

  /** Makes names that came and went durable. */
  syncDirectory(): Promise<void> {
    return this.#disk.syncDirectory(this.#directory)
  }

  /** From here on it is the active one. */
  add(segment: Segment): void {
    this.#assertBehind(segment.baseOffset)
    this.#segments = [...this.#segments, segment]
  }

  /** Two of one offset would share a file, and the one that is removed would take the other's records with it. */
  #assertBehind(baseOffset: number): void {
    const last = this.active?.baseOffset ?? -1
    assert(baseOffset > last, `a segment at ${baseOffset}, behind one at ${last}`)
  }

  /** Takes others instead; the files are the caller's. */
  reset(segments: readonly Segment[]): void {
    this.#segments = segments
  }

  /** The segment that holds an offset, if the offset is not before all of them. */
  holding(offset: number): Segment | undefined {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return this.#segments[low - 1]
  }

  /** Exclusive end of a segment that is not the active one. */
  endOffsetOf(segment: Segment): number {
    return this.#segments[this.#segments.indexOf(segment) + 1]!.baseOffset
  }

  /** Exclusive end of sealed segments; undefined where they do not follow each other on the list. */
  endOfRun(run: readonly Segment[]): number | undefined {
    const start = this.#segments.indexOf(run[0]!)
    if (start < 0 || run.some((segment, index) => this.#segments[start + index] !== segment)) return undefined
    return this.#segments[start + run.length]?.baseOffset
  }

  /** Puts one in the place of those that follow each other; the files are the caller's. */
  replace(run: readonly Segment[], by: Segment): void {
    const start = this.#segments.indexOf(run[0]!)
    this.#segments = [...this.#segments.slice(0, start), by, ...this.#segments.slice(start + run.length)]
  }

  /** Sealed segments that end at or before an offset. */
  below(offset: number): readonly Segment[] {
    let count = 0
    while (count + 1 < this.#segments.length && this.#segments[count + 1]!.baseOffset <= offset) count++
    return this.#segments.slice(0, count)
  }

  /** Takes those off the list; removing their files is the caller's. */
  takeBelow(offset: number): readonly Segment[] {
    const taken = this.below(offset)
    this.#segments = this.#segments.slice(taken.length)
    return taken
  }
}
