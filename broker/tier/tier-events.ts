import type { TierError } from './tier-error.ts'

/** What the tier tells whoever runs the broker. `partition` reads `topic-3`. */
export type TierEvent =
  | { readonly kind: 'claimed'; readonly partition: string; readonly epoch: number; readonly tieredEnd: number; readonly logStart: number }
  | { readonly kind: 'uploaded'; readonly partition: string; readonly key: string; readonly bytes: number; readonly tookMs: number }
  | { readonly kind: 'upload failed'; readonly partition: string; readonly error: TierError; readonly attempt: number; readonly retryMs: number }
  /** The segment that should go up next is not on local disk: nothing goes up until someone looks at it. */
  | { readonly kind: 'upload blocked'; readonly partition: string; readonly start: number; readonly end: number }
  | { readonly kind: 'fenced'; readonly partition: string; readonly error: TierError }
  /** An object or a row that was read is not what it should be, or not there. */
  | { readonly kind: 'read failed'; readonly partition: string; readonly offset: number; readonly error: TierError }
  | { readonly kind: 'log start advanced'; readonly partition: string; readonly logStart: number; readonly why: 'retention' | 'request' }
  | { readonly kind: 'evicted'; readonly partition: string; readonly localStart: number }
  | { readonly kind: 'retired'; readonly partition: string; readonly segments: number; readonly bytes: number }
  | { readonly kind: 'abandoned'; readonly partition: string; readonly intents: number }
  | { readonly kind: 'deleted'; readonly partition: string; readonly objects: number; readonly bytes: number }
  | { readonly kind: 'orphaned'; readonly partition: string; readonly objects: number; readonly bytes: number }
  /** The manifest names it, and the store says that it has none, or one of another length. Nothing is deleted for it. */
  | { readonly kind: 'object missing'; readonly partition: string; readonly key: string }
  | { readonly kind: 'foreign objects'; readonly partition: string; readonly keys: readonly string[] }
  | { readonly kind: 'task failed'; readonly partition: string; readonly task: string; readonly error: TierError }

export type OnTierEvent = (event: TierEvent) => void
