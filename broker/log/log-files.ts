// What lies in a partition's directory beside the segments:
//
//   partition.json    whose records these are: a directory that belongs to another partition is never read
//   checkpoint.json   log start, what is known to be durable, the sealed segments; `clean` after an orderly end
//   epochs.json       the leader-epoch lineage
//   OFFSET.producers  producer state as of that offset, one per seal
//
// All are checked lines of JSON (checked-file.ts), replaced as a whole.

import { join } from 'node:path'
import type { Disk } from '../runtime/disk.ts'
import type { Uuid } from '../runtime/random.ts'
import { type CheckedRead, readChecked, writeChecked } from './checked-file.ts'
import type { EpochStart } from './epoch-cache.ts'
import { LogError } from './log-error.ts'
import { ProducerState } from './producer-state.ts'
import { segmentName, segmentOffset } from './segment.ts'

export interface Checkpoint {
  readonly version: 1
  readonly logStartOffset: number
  /** Everything below was synced: damage there is damage, not a torn tail. */
  readonly durableOffset: number
  /** Sealed segments that were synced as a whole: base offset, bytes, largest timestamp, aborted transactions. */
  readonly sealed: readonly (readonly [baseOffset: number, bytes: number, maxTimestamp: number, abortedCount: number])[]
  /** Written last by an orderly end, and taken away at the next start. */
  readonly clean: { readonly endOffset: number; readonly activeBytes: number } | null
}

export class LogFiles {
  readonly directory: string
  readonly #disk: Disk

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
      await writeChecked(this.#disk, path, { topicId, partition })
    } else if (known.value.topicId !== topicId || known.value.partition !== partition) {
      throw new LogError('quarantined', this.directory, `it belongs to ${known.value.topicId}-${known.value.partition}`)
    }
  }

  /** Base offsets of the segments, ascending. */
  async segmentOffsets(): Promise<number[]> {
    return this.#offsets('log')
  }

  async #offsets(kind: 'log' | 'producers'): Promise<number[]> {
    const names = await this.#disk.list(this.directory)
    return names.flatMap((name) => segmentOffset(name, kind) ?? []).sort((one, other) => one - other)
  }

  readCheckpoint(): Promise<CheckedRead<Checkpoint>> {
    return readChecked<Checkpoint>(this.#disk, join(this.directory, 'checkpoint.json'))
  }

  writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return writeChecked(this.#disk, join(this.directory, 'checkpoint.json'), checkpoint)
  }

  readEpochs(): Promise<CheckedRead<readonly EpochStart[]>> {
    return readChecked<readonly EpochStart[]>(this.#disk, join(this.directory, 'epochs.json'))
  }

  writeEpochs(starts: readonly EpochStart[]): Promise<void> {
    return writeChecked(this.#disk, join(this.directory, 'epochs.json'), starts)
  }

  writeProducers(offset: number, state: ProducerState): Promise<void> {
    return writeChecked(this.#disk, join(this.directory, segmentName(offset, 'producers')), state.snapshot())
  }

  /** The newest snapshot at or below an offset that can be believed. */
  async readProducers(offsetMax: number): Promise<{ readonly offset: number; readonly state: ProducerState } | undefined> {
    const offsets = await this.#offsets('producers')
    for (const offset of offsets.filter((one) => one <= offsetMax).reverse()) {
      const state = await this.producersAt(offset)
      if (state !== undefined) return { offset, state }
    }
    return undefined
  }

  async producersAt(offset: number): Promise<ProducerState | undefined> {
    const read = await readChecked<Parameters<typeof ProducerState.restore>[0]>(this.#disk, join(this.directory, segmentName(offset, 'producers')))
    return read.state === 'read' ? ProducerState.restore(read.value) : undefined
  }

  /** Removes snapshots for which `isNeeded` says no. */
  async removeProducers(isNeeded: (offset: number) => boolean): Promise<void> {
    for (const offset of await this.#offsets('producers')) {
      if (!isNeeded(offset)) await this.#disk.remove(join(this.directory, segmentName(offset, 'producers')))
    }
  }
}
