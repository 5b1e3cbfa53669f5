/** What a log needs to know of its topic's settings. Read anew at each use, so that a change takes effect at once. */
export interface LogConfig {
  /** Size at which a segment is sealed. */
  readonly segmentBytes: number
  /** Age at which a segment is sealed, from its first append on. */
  readonly segmentMs: number
  /** -1: for ever. */
  readonly retentionMs: number
  /** -1: no limit. */
  readonly retentionBytes: number
  /** Bytes of batches per index entry; a smaller value than `indexIntervalBytesMin` counts as that. */
  readonly indexIntervalBytes: number
  /** The largest batch, as sent. */
  readonly batchBytesMax: number
  readonly hasLogAppendTime: boolean
  /** How far a timestamp may be behind and ahead of the broker's clock; Infinity: any. */
  readonly timestampBeforeMsMax: number
  readonly timestampAfterMsMax: number
  /** Old records are deleted by time and size. */
  readonly isDeleted: boolean
  /** The newest record of each key is kept; records need keys. */
  readonly isCompacted: boolean
  /** A log is compacted where so much of it is dirty, from 0 to 1. */
  readonly minCleanableRatio: number
  /** The shortest and the longest that a record stays uncompacted. */
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  /** How long tombstones, and markers of transactions that are gone, stay once they were compacted. */
  readonly deleteRetentionMs: number
  /** Another tier decides what is deleted here; the log deletes nothing by itself. */
  readonly isTiered: boolean
  /** How long an idle producer id is remembered. */
  readonly producerExpiryMs: number
}

/** Finer than this an index costs more memory than the bytes that it saves from being read. */
export const indexIntervalBytesMin = 16 * 1024
