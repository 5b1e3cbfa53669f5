/**
 * The object store: large immutable objects under a key, never overwritten. A folder on a laptop, S3 in production.
 * Keys are `/`-separated ASCII, at most 900 bytes.
 */
export interface ObjectStore {
  /**
   * Stores an object unless the key is taken. `body` is called again for each attempt. Resolves once the object is
   * durable, with `stored: false` where the key is taken by other content (same length and checksum counts as ours:
   * a repeated attempt after a lost answer finds its own object).
   */
  put(key: string, object: ObjectBody, signal?: AbortSignal): Promise<{ readonly stored: boolean }>
  /** Bytes [start, end) of the object; shorter only where it ends. Undefined: there is no such object. */
  getRange(
    key: string,
    range: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<Buffer | undefined>
  /** Length in bytes; undefined where there is no such object. */
  head(key: string, signal?: AbortSignal): Promise<{ readonly length: number } | undefined>
  /** Up to `limit` objects (at most 1,000) in key order, behind `after`. */
  list(
    prefix: string,
    options?: { readonly after?: string; readonly limit?: number; readonly signal?: AbortSignal },
  ): Promise<ListedObject[]>
  /** Removes objects, at most 1,000 a call; no error where there is none. */
  delete(keys: readonly string[], signal?: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface ObjectBody {
  readonly length: number
  /** CRC32C of the whole, so that the store can refuse what was damaged on the way. */
  readonly crc32c: number
  /** The content in pieces of at most a few MiB. Each is the reader's until it asks for the next one, which may be in its memory. */
  chunks(): AsyncIterable<Uint8Array>
}

export interface ListedObject {
  readonly key: string
  readonly length: number
  /** Wall-clock milliseconds, by the store's own clock. */
  readonly modifiedAt: number
}

export class ObjectStoreError extends Error {
  /**
   * `away`: not reached, throttled or timed out; try again. `damaged`: content and checksum disagree. `refused`: it
   * will never work.
   */
  readonly code: 'away' | 'damaged' | 'refused'
  constructor(code: ObjectStoreError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'ObjectStoreError'
    this.code = code
  }
}
