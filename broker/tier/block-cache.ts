// Cold data comes from the store in blocks: a fetch takes a megabyte, and the next one takes the megabyte behind it.
//
//   memory (a few blocks) -> files (the cache directory, where there is one) -> object store
//
// A block is fetched once however many wait for it, and kept although they have given up: the client comes back.

import type { ObjectStore } from '../objects/object-store.ts'
import { Budget } from '../runtime/budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Block, BlockFiles } from './block-files.ts'
import { ByteRate } from '../runtime/byte-rate.ts'
import { FillCache } from './fill-cache.ts'
import { TierError, tierErrorOf } from './tier-error.ts'
import type { TieredSegment } from './tiered-segment.ts'
import { callWithin } from './within.ts'

export interface BlockCacheOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly files: BlockFiles | undefined
  readonly limits: BlockCacheLimits
}

export interface BlockCacheLimits {
  /** Bytes of a block; the last one of a segment is shorter. */
  readonly blockBytes: number
  /** Bytes of blocks kept in memory, beside those that are being filled. */
  readonly memoryBytesMax: number
  /** Blocks fetched from the store at a time; half of that for reading ahead. */
  readonly fillsMax: number
  /** Fills that wait for their turn; more are refused as `busy`. */
  readonly fillsQueuedMax: number
  /** Bytes that are fetched in a second by all together; `Infinity`: no limit. */
  readonly fetchBytesPerSecond: number
  /** How long the store may take for one block. */
  readonly fetchTimeoutMs: number
  /** How long a failure stands before the store is asked again. */
  readonly failureHoldMs: number
}

/** Whether bytes are those that lie at `position`: a segment's index knows. */
export interface BlockCheck {
  matches(bytes: Buffer, position: number): boolean
}

export class BlockCache {
  readonly #options: BlockCacheOptions
  readonly #memory: FillCache<Buffer>
  readonly #fetches: Budget
  readonly #rate: ByteRate
  #hits = 0
  #misses = 0
  #fetchedBytes = 0

  constructor(options: BlockCacheOptions) {
    this.#options = options
    const { memoryBytesMax, failureHoldMs, fillsMax, fillsQueuedMax } = options.limits
    this.#rate = new ByteRate(options.clock, options.limits.fetchBytesPerSecond)
    this.#fetches = new Budget({ units: fillsMax, waitingMax: fillsQueuedMax })
    this.#memory = new FillCache({ clock: options.clock, bytesMax: memoryBytesMax, failureHoldMs })
  }

  /** Of reads of blocks: `misses` went to the store, also when reading ahead; to wait for another one's miss is a hit. */
  get counts(): { readonly hits: number; readonly misses: number; readonly fetchedBytes: number } {
    return { hits: this.#hits, misses: this.#misses, fetchedBytes: this.#fetchedBytes }
  }

  get blockBytes(): number {
    return this.#options.limits.blockBytes
  }

  /**
   * The block of `segment` that holds byte `position` of its batches, held against the index's checksums. Throws
   * `TierError`: `away`, `missing`, `damaged`
   * where the object is not what was uploaded, `busy`.
   */
  read(segment: TieredSegment, position: number, index: BlockCheck): Promise<Buffer> {
    const block = this.#blockAt(segment, position)
    const id = idOf(block)
    if (this.#memory.has(id)) this.#hits++
    return this.#memory.get(id, async () => {
      const kept = await this.#kept(block, index)
      if (kept !== undefined) this.#hits++
      const bytes = kept ?? (await this.#fetchInTurn(block, index))
      return { value: bytes, bytes: bytes.length }
    })
  }

  /** Fetches the block in the background, unless others keep the store busy. */
  readAhead(segment: TieredSegment, position: number, index: BlockCheck): void {
    const { fillsMax } = this.#options.limits
    if (position >= segment.batchesBytes || this.#memory.has(idOf(this.#blockAt(segment, position)))) return
    if (this.#memory.fills < Math.max(1, fillsMax / 2)) this.read(segment, position, index).catch(() => {})
  }

  /** Says that a reader has gone past the block. */
  spend(segment: TieredSegment, position: number): void {
    this.#memory.spend(idOf(this.#blockAt(segment, position)))
  }

  /** Drops a block whose batches do not match their checksums: it may be our copy that is damaged, not the object. */
  async discard(segment: TieredSegment, position: number): Promise<void> {
    const block = this.#blockAt(segment, position)
    this.#memory.discard(idOf(block))
    await this.#options.files?.discard(block)
  }

  #blockAt(segment: TieredSegment, position: number): Block {
    const start = position - (position % this.blockBytes)
    return { key: segment.key, uuid: segment.key.slice(-22), start, end: Math.min(start + this.blockBytes, segment.batchesBytes) }
  }

  async #kept(block: Block, index: BlockCheck): Promise<Buffer | undefined> {
    const { files } = this.#options
    const bytes = await files?.read(block)
    if (bytes === undefined || index.matches(bytes, block.start)) return bytes
    await files?.discard(block)
    return undefined
  }

  async #fetchInTurn(block: Block, index: BlockCheck): Promise<Buffer> {
    try {
      return await this.#fetches.use({ units: 1 }, () => this.#fetch(block, index))
    } catch (cause) {
      throw tierErrorOf('waiting for a fetch', cause)
    }
  }

  async #fetch(block: Block, index: BlockCheck): Promise<Buffer> {
    const { store, clock, files, limits } = this.#options
    const { key, start, end } = block
    const doing = `fetching [${start}, ${end}) of ${key}`
    this.#misses++
    await this.#rate.take(end - start)
    const bytes = await callWithin(
      doing, { clock, timeoutMs: limits.fetchTimeoutMs }, (signal) => store.getRange(key, { start, end }, signal)
    )
    if (bytes === undefined) throw new TierError('missing', `${doing}: there is no such object`)
    if (bytes.length !== end - start) throw new TierError('damaged', `${doing}: ${bytes.length} bytes came`)
    if (!index.matches(bytes, start)) throw new TierError('damaged', `${doing}: what came does not match its checksums`)
    this.#fetchedBytes += bytes.length
    void files?.write(block, bytes)
    return bytes
  }
}

function idOf({ uuid, start, end }: Block): string {
  return `${uuid}.${start}.${end}`
}
