// The part of a pass that takes time: reading a log twice, keys and records, and writing what stays. Behind an interface, so
// that it can be done in a thread of its own.
//
//   begin   reads the dirty segments and learns the newest offset of each key
//   clean   again and again, from the start of the log on: writes what stays of the next few segments to one file
//   end     whatever is under way ends, and the memory is given back

import type { LastOfProducer } from '../log/log-compaction.ts'
import type { AbortedTransaction } from '../log/sealed-segment.ts'
import type { FilterCounts } from './batch-filter.ts'

export interface PassSegment {
  readonly path: string
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly bytes: number
}

export interface Pass {
  /** In order, from the start of the log on. */
  readonly segments: readonly PassSegment[]
  /** The first dirty offset. */
  readonly dirtyOffset: number
  /** Of the whole log. */
  readonly aborted: readonly AbortedTransaction[]
  readonly lastOfProducers: ReadonlyMap<number, LastOfProducer>
  /** Wall clock, milliseconds. */
  readonly now: number
  readonly deleteRetentionMs: number
  readonly mapBytesMax: number
  /** Of one batch, decompressed. */
  readonly inflatedBytesMax: number
  /** Read and written. */
  readonly bytesPerSecond: number
}

export interface IndexedKeys {
  /** Exclusive: what the map covers. Below the end of the log where it was full. */
  readonly endOffset: number
  readonly keys: number
  readonly keysMax: number
  readonly bytesRead: number
}

export interface GroupToClean {
  /** The first one, among those of the pass. */
  readonly from: number
  /** What stays of several segments goes into one while it has room, and while not too much would have to be done again. */
  readonly writtenBytesMax: number
  readonly readBytesMax: number
  /** Each is a file that is held open for a while once it is replaced. */
  readonly segmentsMax: number
  readonly path: string
  readonly indexPath: string
  readonly indexIntervalBytes: number
}

export interface CleanedGroup {
  /** Exclusive: behind the last one that is in it. */
  readonly to: number
  /** Of the file. */
  readonly bytes: number
  /** Nothing has gone and nothing has changed: the group may stay as it is. */
  readonly isUnchanged: boolean
  /** Of the pass so far. */
  readonly counts: FilterCounts
}

export interface CompactionIo {
  begin(pass: Pass): Promise<IndexedKeys>
  /** Written and synced when it resolves. */
  clean(group: GroupToClean): Promise<CleanedGroup>
  end(): Promise<void>
  close(): Promise<void>
}

/** `ended`: nobody wants it any more. `damaged`: what is on the disk is no log. `failed`: the disk, or the thread. */
export class CompactionError extends Error {
  readonly code: 'ended' | 'damaged' | 'failed'
  constructor(code: CompactionError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CompactionError'
    this.code = code
  }
}
