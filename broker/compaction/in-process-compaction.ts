import { scanBatches } from '../log/batch-scan.ts'
import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { ByteRate } from '../runtime/byte-rate.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Disk } from '../runtime/disk.ts'
import { BatchFilter } from './batch-filter.ts'
import { CleanedFile } from './cleaned-file.ts'
import {
  type CleanedGroup, CompactionError, type CompactionIo, type GroupToClean, type IndexedKeys, type Pass, type PassSegment,
} from './compaction-io.ts'
import { KeyIndexing } from './key-indexing.ts'
import { KeyMap } from './key-map.ts'

/** So many bytes are read or written before the limit on them is asked. */
const pacedBytes = 256 * 1024

interface Running {
  readonly pass: Pass
  readonly rate: ByteRate
  readonly abort: AbortController
  unpacedBytes: number
  filter: BatchFilter | undefined
  /** Those that are cleaned: up to the one that the map's end is in. */
  segments: readonly PassSegment[]
}

/** Compaction in the calling thread: in the simulator, in tests, and inside of the worker. One pass at a time. */
export class InProcessCompaction implements CompactionIo {
  readonly #disk: Disk
  readonly #clock: Clock
  #running: Running | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly disk: Disk; readonly clock: Clock }) {
    this.#disk = options.disk
    this.#clock = options.clock
  }

  begin(pass: Pass): Promise<IndexedKeys> {
    const rate = new ByteRate(this.#clock, pass.bytesPerSecond)
    const running: Running = { pass, rate, abort: new AbortController(), unpacedBytes: 0, filter: undefined, segments: [] }
    this.#running = running
    return this.#inTurn(() => this.#index(running))
  }

  async #index(running: Running): Promise<IndexedKeys> {
    const { segments, dirtyOffset, aborted, mapBytesMax: bytesMax, inflatedBytesMax, ...rest } = running.pass
    const map = new KeyMap({ bytesMax })
    const transactions = { aborted }
    const indexing = new KeyIndexing({ map, startOffset: dirtyOffset, transactions, inflatedBytesMax })
    let bytesRead = 0
    for (const segment of segments.filter(({ endOffset }) => endOffset > dirtyOffset)) {
      const isFull = await this.#scan(running, segment, (batch) => {
        bytesRead += batch.length
        return indexing.add(batch)
      })
      if (isFull) break
    }
    const { endOffset } = indexing
    running.segments = segments.filter(({ baseOffset }) => baseOffset < endOffset)
    const roundEndOffset = running.segments.at(-1)?.endOffset ?? endOffset
    running.filter = new BatchFilter({ ...rest, map, mapEndOffset: endOffset, transactions, roundEndOffset, inflatedBytesMax })
    return { endOffset, keys: map.size, keysMax: map.sizeMax, bytesRead }
  }

  clean(group: GroupToClean): Promise<CleanedGroup> {
    const running = this.#running
    return this.#inTurn(() => this.#clean(running, group))
  }

  async #clean(running: Running | undefined, group: GroupToClean): Promise<CleanedGroup> {
    const filter = running?.filter
    if (running === undefined || filter === undefined) throw new CompactionError('ended', 'no pass has begun')
    const abortedBefore = filter.abortedKept.length
    const cleaned = await CleanedFile.create(this.#disk, group)
    let isUnchanged = true
    let to = group.from
    let bytesRead = 0
    try {
      for (const segment of running.segments.slice(group.from)) {
        const isFull = cleaned.bytes + segment.bytes > group.writtenBytesMax || bytesRead + segment.bytes > group.readBytesMax
        if (to > group.from && (isFull || to - group.from === group.segmentsMax)) break
        if (++to > group.from + 1) isUnchanged = false
        bytesRead += segment.bytes
        await this.#scan(running, segment, async (batch) => {
          const kept = filter.filter(batch)
          if (kept !== batch.bytes) isUnchanged = false
          if (kept !== undefined) await this.#write(running, cleaned, kept)
          return true
        })
      }
      const aborted = filter.abortedKept.slice(abortedBefore)
      if (!isUnchanged) await cleaned.finish(aborted)
      return { to, bytes: cleaned.bytes, isUnchanged, counts: { ...filter.counts } }
    } catch (cause) {
      // Nobody has heard of it: the room is wanted, if that is what was missing.
      isUnchanged = true
      throw cause
    } finally {
      await cleaned.close()
      if (isUnchanged) await this.#disk.remove(group.path)
    }
  }

  async #write(running: Running, cleaned: CleanedFile, kept: Buffer): Promise<void> {
    await cleaned.add(kept)
    await this.#paced(running, kept.length)
  }

  /** Gives each batch of a segment to `take` until that says no; true: it did. */
  async #scan(
    running: Running, { path, bytes }: PassSegment, take: (batch: RecordBatch) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const file = await this.#disk.open(path)
    try {
      let end = 0
      for await (const { batch, position } of scanBatches({ file, start: 0, end: bytes })) {
        await this.#paced(running, batch.length)
        const taken = take(batch)
        if (!(typeof taken === 'boolean' ? taken : await taken)) return true
        end = position + batch.length
      }
      if (end !== bytes) throw new CompactionError('damaged', `${path}: no batch at byte ${end} of ${bytes}`)
      return false
    } catch (cause) {
      if (cause instanceof MalformedMessage) throw new CompactionError('damaged', `${path}: ${cause.message}`, cause)
      throw cause
    } finally {
      await file.close()
    }
  }

  async #paced(running: Running, bytes: number): Promise<void> {
    running.unpacedBytes += bytes
    if (running.unpacedBytes >= pacedBytes) {
      const due = running.unpacedBytes
      running.unpacedBytes = 0
      await running.rate.take(due, running.abort.signal)
    }
    if (running.abort.signal.aborted) throw new CompactionError('ended', 'the pass was ended')
  }

  async end(): Promise<void> {
    this.#running?.abort.abort()
    this.#running = undefined
    await this.#turn
  }

  close(): Promise<void> {
    return this.end()
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }
}
