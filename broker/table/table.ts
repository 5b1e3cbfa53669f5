/**
 * The table: small items with a version, read strongly consistently and written under conditions. It holds the
 * metadata log, manifests, groups, offsets and leases. SQLite on a laptop, DynamoDB in production.
 *
 * An item's key is a `partition` (what can be queried together, 1 to 2,048 bytes) and a `sort` key in it (1 to
 * 1,024 bytes, compared as UTF-8).
 * A value is JSON of at most `itemBytesMax` bytes. A version starts at 1 when an item is made and grows by 1 with
 * each write; an item that was deleted and made again starts over, so who relies on versions does not delete.
 */
export interface Table {
  /** The item as of now; never a stale one. */
  get(key: Key): Promise<Item | undefined>
  /** The items of a partition in the order of their sort keys; never a stale one. */
  query(partition: string, range?: Range): Promise<Item[]>
  /**
   * Writes all or nothing. A write whose condition does not hold fails the whole commit with `conflict`. A lost
   * answer is resolved inside: after a conflict the implementation reads back and compares its own token before it
   * reports one, so `conflict` means that someone else's write came first.
   *
   * At most `commitWritesMax` writes of `commitBytesMax` bytes together, each to a different item. Throws `TableError`
   * where the outcome is unknown or the table is away: the caller reads again before it believes anything.
   */
  commit(writes: readonly Write[]): Promise<CommitResult>
  close(): Promise<void>
}

/** DynamoDB's own limits, held by every implementation so that nothing works on a laptop alone. */
export const itemBytesMax = 390 * 1024
export const commitWritesMax = 100
/** Keys and values of one commit together. */
export const commitBytesMax = 3_700 * 1024

export interface Key {
  readonly partition: string
  readonly sort: string
}

export interface Item extends Key {
  readonly version: number
  readonly value: Json
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

export interface Range {
  /** The first sort key, inclusive. */
  readonly start?: string
  /** Where to stop, exclusive. */
  readonly end?: string
  /** Only sort keys that begin so; not together with `start` and `end`. */
  readonly prefix?: string
  /** From the highest sort key down. */
  readonly reverse?: boolean
  /** At most so many items; without it all of them. */
  readonly limit?: number
}

/** What must hold for a write: the item has this version, is absent, or anything goes. */
export type Expectation = number | 'absent' | 'any'

export type Write =
  | { readonly kind: 'put'; readonly key: Key; readonly value: Json; readonly expect: Expectation }
  | { readonly kind: 'delete'; readonly key: Key; readonly expect: Expectation }
  /** Changes nothing; the commit stands only if the expectation holds. */
  | { readonly kind: 'check'; readonly key: Key; readonly expect: number | 'absent' }

export type CommitResult =
  | { readonly committed: true }
  /** The keys whose expectation did not hold; there may be more than are listed. */
  | { readonly committed: false; readonly conflicts: readonly Key[] }

export class TableError extends Error {
  /** `away`: not reached or throttled, nothing was written. `unknown`: it may have been written. `invalid`: the call is wrong. */
  readonly code: 'away' | 'unknown' | 'invalid'
  constructor(code: TableError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'TableError'
    this.code = code
  }
}
