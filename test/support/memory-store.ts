import { checkByteRange, checkObjectKey, checkObjectKeys, listLimit } from '../../broker/objects/object-key.ts'
import { type ListedObject, type ObjectBody, type ObjectStore, ObjectStoreError } from '../../broker/objects/object-store.ts'
import { verifiedChunks } from '../../broker/objects/verified-chunks.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'

interface Stored {
  readonly bytes: Buffer
  readonly modifiedAt: number
}

/** An object store without a disk, for tests and the simulator: calls are answered in microtasks. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, Stored>()
  readonly #clock: Clock

  constructor({ clock = nodeClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock
  }

  async put(key: string, object: ObjectBody, signal?: AbortSignal): Promise<{ readonly stored: boolean }> {
    checkObjectKey(key)
    const chunks: Uint8Array[] = []
    for await (const chunk of verifiedChunks(key, object)) {
      checkRunning(signal)
      chunks.push(Buffer.from(chunk))
    }
    const bytes = Buffer.concat(chunks)
    const existing = this.#objects.get(key)
    if (existing) return { stored: existing.bytes.equals(bytes) }
    this.#objects.set(key, { bytes, modifiedAt: this.#clock.now() })
    return { stored: true }
  }

  async getRange(
    key: string,
    range: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<Buffer | undefined> {
    checkRunning(signal)
    checkObjectKey(key)
    checkByteRange(range)
    const stored = this.#objects.get(key)
    return stored && Buffer.from(stored.bytes.subarray(range.start, range.end))
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly length: number } | undefined> {
    checkRunning(signal)
    checkObjectKey(key)
    const stored = this.#objects.get(key)
    return stored && { length: stored.bytes.length }
  }

  async list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ListedObject[]> {
    checkRunning(options.signal)
    const { after = '' } = options
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix) && key > after)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .slice(0, listLimit(options.limit))
      .map(([key, { bytes, modifiedAt }]) => ({ key, length: bytes.length, modifiedAt }))
  }

  async delete(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    checkRunning(signal)
    checkObjectKeys(keys)
    for (const key of keys) this.#objects.delete(key)
  }

  async close(): Promise<void> {}
}

function checkRunning(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ObjectStoreError('away', 'the call was aborted', signal.reason)
}
