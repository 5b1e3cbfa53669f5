// What a pass does with bytes, for whoever runs it: in the broker these calls go to the thread of the tier, a function in
// the cloud makes them in its own. A pass is a session, because the map of its keys stays where the bytes are:
//
//   openCompaction        reads the dirty rows, and learns the newest offset of each of their keys
//     beginGroup          names the rows that are rewritten next
//       nextObject        filters them until an object is full; undefined: the group is at its end
//       storeObject       stores that object under a key that the manifest knows by now, and reads it back
//   closeCompaction       forgets all of it
//
// There is one session at a time: who opens one ends the one before. Every call that fails rejects with `TierError`, and ends
// the session; an error of the store is never taken for an object that is missing.

import type { Uuid } from '../../runtime/random.ts'
import type { UploadedObject } from '../tier-io.ts'
import type { TieredSegment } from '../tiered-segment.ts'

export interface CompactionIo {
  openCompaction(opening: CompactionOpening): Promise<LearntKeys>
  beginGroup(group: CompactionGroup): Promise<void>
  nextObject(session: Uuid): Promise<FilledObject | undefined>
  storeObject(object: ObjectToStore): Promise<UploadedObject>
  /** Ends what the session is doing, too. Undefined where there is no such session. */
  closeCompaction(session: Uuid): Promise<CompactionCounts | undefined>
}

export interface CompactionOpening {
  readonly session: Uuid
  readonly topicId: Uuid
  readonly partition: number
  /** With offsets from `startOffset` on, in order. None where only tombstones are to go. */
  readonly dirty: readonly TieredSegment[]
  /** Keys of records before are in no need of the map. */
  readonly startOffset: number
  /** Behind it nothing is learnt. */
  readonly endOffset: number
  /** Wall clock of the pass. */
  readonly now: number
  readonly deleteRetentionMs: number
}

export interface LearntKeys {
  /** Exclusive: up to here the map knows of every key. Less than was asked for where it was full. */
  readonly endOffset: number
  readonly keys: number
}

export interface CompactionGroup {
  readonly session: Uuid
  /** In order and without gaps between them. */
  readonly rows: readonly TieredSegment[]
  /** The row before the first one, whose producers say which transactions are open; undefined: there is none. */
  readonly before: TieredSegment | undefined
  /** Exclusive end of the pass. */
  readonly passEnd: number
  /** The row that holds the last offset of the pass: its producers say whose last batch has to stay. */
  readonly atEnd: TieredSegment
  /** Of batches in one new object, which is in memory until it is stored. A twentieth of the largest row, where that is more. */
  readonly objectBytes: number
}

/** What is ready to be stored, and the offsets that it will stand for. */
export interface FilledObject {
  readonly baseOffset: number
  readonly endOffset: number
  /** Of the last row that went into it. */
  readonly epoch: number
  /** Wall clock; of the youngest row that went into it. */
  readonly sealedAt: number
  /** The earliest delete horizon in it, wall clock; -1: there is none. */
  readonly horizonMs: number
}

export interface ObjectToStore {
  readonly session: Uuid
  readonly key: string
  readonly generation: number
}

export interface CompactionCounts {
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly recordsRead: number
  readonly recordsKept: number
  /** Batches that could not be opened, and stay as they are. */
  readonly unreadable: number
}

/** Limits of what a pass takes where its bytes are. */
export interface CompactionIoLimits {
  /** Bytes of the map of keys: 24 for each, and half as much again while it grows. */
  readonly compactionKeyBytesMax: number
  /** Bytes that are read from the store at a time. */
  readonly compactionReadBytes: number
  /** Bytes of batches that are looked at before others have their turn in the thread. */
  readonly compactionTurnBytes: number
  /** Bytes that are read in a second; `Infinity`: no limit. */
  readonly compactionBytesPerSecond: number
}
