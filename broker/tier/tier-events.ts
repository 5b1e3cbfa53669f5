import type { CompactionFigures } from './compaction/compact-partition.ts'
import type { TierError } from './tier-error.ts'

/** What the tier tells whoever runs the broker. */
export type TierEvent = TierNews & {
  /** `topic-3` */
  readonly partition: string
}

type TierNews =
  | { readonly kind: 'claimed'; readonly epoch: number; readonly tieredEnd: number; readonly logStart: number }
  | { readonly kind: 'uploaded'; readonly key: string; readonly bytes: number; readonly tookMs: number }
  | {
    readonly kind: 'upload failed'; readonly partition: string
    readonly error: TierError; readonly attempt: number; readonly retryMs: number
  }
  /** The segment that should go up next is not on local disk: nothing goes up until someone looks at it. */
  | { readonly kind: 'upload blocked'; readonly start: number; readonly end: number }
  | { readonly kind: 'fenced'; readonly error: TierError }
  /** An object or a row that was read is not what it should be, or not there. */
  | { readonly kind: 'read failed'; readonly offset: number; readonly error: TierError }
  | { readonly kind: 'log start advanced'; readonly logStart: number; readonly why: 'retention' | 'request' }
  | { readonly kind: 'evicted'; readonly localStart: number }
  | { readonly kind: 'retired'; readonly segments: number; readonly bytes: number }
  /** A pass of compaction has ended; see `CompactionEnd`. */
  | (CompactionFigures & { readonly kind: 'compacted'; readonly end: 'done' | 'beaten' | 'stopped' })
  | { readonly kind: 'abandoned'; readonly intents: number }
  | { readonly kind: 'deleted'; readonly objects: number; readonly bytes: number }
  | { readonly kind: 'orphaned'; readonly objects: number; readonly bytes: number }
  /** The manifest names it, and the store says that it has none, or one of another length. Nothing is deleted for it. */
  | { readonly kind: 'object missing'; readonly key: string }
  | { readonly kind: 'foreign objects'; readonly keys: readonly string[] }
  | { readonly kind: 'task failed'; readonly task: string; readonly error: TierError }

export type OnTierEvent = (event: TierEvent) => void
