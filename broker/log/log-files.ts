// What lies in a partition's directory beside the segments:
//
//   partition.json    whose records these are: a directory that belongs to another partition is never read
//   checkpoint.json   log start, what is known to be durable, the sealed segments; `clean` after an orderly end
//   epochs.json       the leader-epoch lineage
//   OFFSET.producers  producer state as of that offset, one per seal
//   OFFSET.cleaned    what compaction is about to put in the place of segments (segment-swap.ts)
//
// All are checked lines of JSON (checked-file.ts), replaced as a whole.

import { dirname, join } from 'node:path'
import type { Disk } from '../runtime/disk.ts'
import type { Uuid } from '../runtime/random.ts'
import { isChecked, readChecked, writeChecked, writeCheckedList } from './checked-file.ts'
import type { EpochStart } from './epoch-cache.ts'
import { LogError } from './log-error.ts'
import { ProducerState } from './producer-state.ts'
import { segmentName, segmentOffset } from './segment.ts'
import { finishSwap, removeCleaned, type SegmentSwap } from './segment-swap.ts'

export interface Checkpoint {
  readonly version: 1
  readonly logStartOffset: number
  /** Everything below was synced: damage there is damage, not a torn tail. */
  readonly durableOffset: number
  /** Whether every append was synced before the next one: then only the end of the last segment can be torn. */
  readonly isSynced: boolean
  /** Sealed segments that were synced as a whole. */
  readonly sealed: readonly CheckpointedSegment[]
  /** Written last by an orderly end, with the open segment, and taken away at the next start. */
  readonly clean: { readonly endOffset: number; readonly activeOffset: number; readonly activeBytes: number } | null
  /** The log begins at `logStartOffset` with this behind it, and whatever segments are there are left from before. */
  readonly fresh: {
    readonly epochs: readonly EpochStart[]
    readonly producers: ReturnType<ProducerState['snapshot']>
    /** What lies from here up to the checkpoint's own log start is elsewhere, such as in the tier. */
    readonly logStartOffset: number
  } | null
  /** Absent: the log was never compacted, and has no gaps. */
  readonly cleaning?: Cleaning
  /** A swap that counts and may not be done yet. */
  readonly swap?: SegmentSwap
}

/** What compaction has to remember of a log. */
export interface Cleaning {
  /** What lies below was compacted: the first dirty offset. */
  readonly cleanedOffset: number
  /** Offsets may be missing between batches. */
  readonly hasGaps: boolean
}

export type CheckpointedSegment = readonly [
  baseOffset: number, endOffset: number, bytes: number, maxTimestamp: number, abortedCount: number,
]

export class LogFiles {
  readonly directory: string
  readonly #disk: Disk
  /** What epochs.json says; undefined where that is not known. */
  #epochs: string | undefined

  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.directory = directory
  }

  /** Makes the directory, or makes sure that it is this partition's. Throws `LogError`. */
  async claim(topicId: Uuid, partition: number): Promise<void> {
    const path = join(this.directory, 'partition.json')
    const known = await readChecked<{ topicId: Uuid; partition: number }>(this.#disk, path)
    if (known.state === 'damaged') throw new LogError('quarantined', this.directory, 'partition.json is damaged')
    if (known.state === 'missing') {
      if ((await this.segmentOffsets()).length > 0) {
        throw new LogError('quarantined', this.directory, 'there are segments, but partition.json is missing')
      }
      await this.#disk.makeDirectory(this.directory)
      // It may have been made by somebody who did not live to sync it.
      await this.#disk.syncDirectory(dirname(this.directory))
      await writeChecked(this.#disk, path, { topicId, partition })
    } else if (known.value.topicId !== topicId || known.value.partition !== partition) {
      throw new LogError('quarantined', this.directory, `it belongs to ${known.value.topicId}-${known.value.partition}`)
    }
  }

  /** Base offsets of the segments, ascending. */
  async segmentOffsets(): Promise<number[]> {
    return this.#offsets('log')
  }

  segmentPath(baseOffset: number): string {
    return join(this.directory, segmentName(baseOffset, 'log'))
  }

  async finishSwap(swap: SegmentSwap): Promise<void> {
    await finishSwap(this.#disk, this.directory, swap, await this.segmentOffsets())
  }

  removeCleaned(): Promise<void> {
    return removeCleaned(this.#disk, this.directory)
  }

  /** From the last one on, each durably: a crash leaves a log without a gap. */
  async removeSegments(offsets: readonly number[]): Promise<void> {
    for (const offset of offsets.toReversed()) {
      await this.#disk.remove(this.segmentPath(offset))
      await this.#disk.syncDirectory(this.directory)
    }
  }

  async #offsets(kind: 'log' | 'producers' | 'index'): Promise<number[]> {
    const names = await this.#disk.list(this.directory)
    return names.flatMap((name) => segmentOffset(name, kind) ?? []).sort((one, other) => one - other)
  }

  /** Undefined: there is none. Throws `LogError` where it is damaged: without it deleted records would come back. */
  async readCheckpoint(): Promise<Checkpoint | undefined> {
    const read = await readChecked<Checkpoint>(this.#disk, join(this.directory, 'checkpoint.json'))
    if (read.state === 'damaged') throw new LogError('quarantined', this.directory, 'checkpoint.json is damaged')
    return read.state === 'read' ? read.value : undefined
  }

  writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return writeChecked(this.#disk, join(this.directory, 'checkpoint.json'), checkpoint)
  }

  /** Undefined: not there, or damaged. Recovery makes it anew of the batches. */
  async readEpochs(): Promise<readonly EpochStart[] | undefined> {
    const read = await readChecked<readonly EpochStart[]>(this.#disk, join(this.directory, 'epochs.json'))
    this.#epochs = read.state === 'read' ? JSON.stringify(read.value) : undefined
    return read.state === 'read' ? read.value : undefined
  }

  /** Costs nothing where the file says the same: when leaders change, idle partitions by the thousand come here at once. */
  async writeEpochs(starts: readonly EpochStart[]): Promise<void> {
    const epochs = JSON.stringify(starts)
    if (epochs === this.#epochs) return
    this.#epochs = undefined
    await writeChecked(this.#disk, join(this.directory, 'epochs.json'), starts)
    this.#epochs = epochs
  }

  /** The state must not change meanwhile: hand over a copy of one that lives. */
  writeProducers(offset: number, state: ProducerState): Promise<void> {
    return writeCheckedList(this.#disk, this.#producersPath(offset), state)
  }

  /** Undefined: there is no snapshot as of this offset, or a damaged one. Recovery makes it anew of the batches. */
  async readProducers(offset: number): Promise<ProducerState | undefined> {
    const read = await readChecked<ReturnType<ProducerState['snapshot']>>(this.#disk, this.#producersPath(offset))
    return read.state === 'read' ? ProducerState.restore(read.value) : undefined
  }

  /** The same as it was written, which takes much less time. */
  async encodedProducers(offset: number): Promise<Buffer | undefined> {
    const bytes = await this.#disk.readFile(this.#producersPath(offset))
    return bytes !== undefined && isChecked(bytes) ? bytes : undefined
  }

  #producersPath(offset: number): string {
    return join(this.directory, segmentName(offset, 'producers'))
  }

  /** Removes snapshots for which `isNeeded` says no. */
  async removeProducers(isNeeded: (offset: number) => boolean): Promise<void> {
    for (const offset of await this.#offsets('producers')) {
      if (!isNeeded(offset)) await this.#disk.remove(this.#producersPath(offset))
    }
  }
  /** Removes indexes of segments that are not there any more. */
  async removeIndexes(isNeeded: (offset: number) => boolean): Promise<void> {
    for (const offset of await this.#offsets('index')) {
      if (!isNeeded(offset)) await this.#disk.remove(join(this.directory, segmentName(offset, 'index')))
    }
  }
}
