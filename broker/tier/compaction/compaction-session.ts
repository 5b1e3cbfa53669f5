import { KeyIndexing } from '../../compaction/key-indexing.ts'
import { KeyMap } from '../../compaction/key-map.ts'
import type { ObjectBody, ObjectStore } from '../../objects/object-store.ts'
import type { RecordBatch } from '../../protocol/record-batch.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ByteRate } from '../../runtime/byte-rate.ts'
import { inspectObject } from '../object-inspection.ts'
import type { ChunkChecksums } from '../object-sections.ts'
import { TierError } from '../tier-error.ts'
import type { TierIoLimits, UploadedObject } from '../tier-io.ts'
import type { TieredSegment } from '../tiered-segment.ts'
import { callWithin } from '../within.ts'
import type {
  CompactionCounts, CompactionGroup, CompactionOpening, FilledObject, LearntKeys, ObjectToStore,
} from './compaction-io.ts'
import { type FullObject, GroupRewrite } from './group-rewrite.ts'
import type { BuiltObject } from './object-builder.ts'
import { batchesOfRow } from './row-batches.ts'
import {
  abortedOf, type ProducersAtEnd, producersAtEnd, rowChecksums, type RowSections, rowSections, type SectionsOf,
} from './row-sections.ts'

export interface CompactionSessionOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly limits: TierIoLimits
  readonly sectionsOf: SectionsOf
  /** Of what is read, and of what is sent. */
  readonly readRate: ByteRate
  readonly uploadRate: ByteRate
}

/** One pass over one partition, where its bytes are. The calls come one after another. */
export class CompactionSession {
  readonly #options: CompactionSessionOptions
  readonly #opening: CompactionOpening
  readonly #map: KeyMap
  readonly #counts = { bytesRead: 0, bytesWritten: 0, recordsRead: 0, recordsKept: 0, unreadable: 0 }
  readonly #ended = new AbortController()
  #atEnd: ProducersAtEnd | undefined
  #rewrite: GroupRewrite | undefined
  #full: FullObject | undefined

  constructor(options: CompactionSessionOptions, opening: CompactionOpening) {
    this.#options = options
    this.#opening = opening
    this.#map = new KeyMap({ bytesMax: options.limits.compactionKeyBytesMax })
  }

  get counts(): CompactionCounts {
    return this.#counts
  }

  /** Whatever is under way fails soon. */
  end(): void {
    this.#ended.abort(new TierError('away', 'the compaction was ended'))
  }

  async learn(): Promise<LearntKeys> {
    const { limits, sectionsOf } = this.#options
    const { dirty, startOffset, endOffset } = this.#opening
    const last = dirty.at(-1)
    if (last === undefined) return { endOffset: startOffset, keys: 0 }
    const indexing = new KeyIndexing({
      map: this.#map, startOffset, transactions: { aborted: await abortedOf(sectionsOf, dirty) },
      inflatedBytesMax: limits.recordsBytesMax,
    })
    for (const row of dirty) {
      const checksums = await rowChecksums(sectionsOf, row)
      for await (const batch of this.#batches(row, checksums)) {
        if (batch.baseOffset >= endOffset) return { endOffset, keys: this.#map.size }
        if (!indexing.add(batch)) return { endOffset: indexing.endOffset, keys: this.#map.size }
      }
    }
    return { endOffset: Math.min(last.endOffset, endOffset), keys: this.#map.size }
  }

  async begin(group: CompactionGroup): Promise<void> {
    const { limits, sectionsOf } = this.#options
    const sections: RowSections[] = []
    for (const row of group.rows) sections.push(await rowSections(sectionsOf, row))
    const before = group.before === undefined ? nobody : await this.#producersOf(group.before)
    this.#atEnd ??= await this.#producersOf(group.atEnd)
    this.#full = undefined
    this.#rewrite = new GroupRewrite({
      group, opening: this.#opening, map: this.#map, sections, before, atEnd: this.#atEnd, limits,
      batchesOf: (row, { checksums }) => this.#batches(row, checksums),
    })
  }

  async next(): Promise<FilledObject | undefined> {
    const rewrite = this.#begun()
    const full = await rewrite.next()
    this.#full = full
    if (full === undefined) {
      rewrite.checkAll()
      this.#countIn(rewrite)
      this.#rewrite = undefined
      return undefined
    }
    const { baseOffset, endOffset, epoch, sealedAt, horizonMs } = full
    return { baseOffset, endOffset, epoch, sealedAt, horizonMs }
  }

  async store({ key, generation }: ObjectToStore): Promise<UploadedObject> {
    const { clock, limits } = this.#options
    const rewrite = this.#begun()
    const full = this.#full
    if (full === undefined) throw new TierError('damaged', `${key}: no object is full`)
    const built = rewrite.build(full, generation)
    const call = { clock, timeoutMs: limits.uploadTimeoutMs, signal: this.#ended.signal }
    await callWithin(`storing ${key}`, call, (within) => this.#put(key, built, within))
    await this.#readBack(key, { full, built, rewrite })
    this.#counts.bytesWritten += built.object.bytes
    this.#full = undefined
    return built.object
  }

  #begun(): GroupRewrite {
    if (this.#rewrite === undefined) throw new TierError('damaged', 'no group was begun')
    return this.#rewrite
  }

  async #put(key: string, { object, chunks }: BuiltObject, signal: AbortSignal): Promise<void> {
    const { store, uploadRate } = this.#options
    const body: ObjectBody = {
      length: object.bytes, crc32c: object.crc32c,
      async *chunks() {
        for (const chunk of chunks) {
          await uploadRate.take(chunk.length, signal)
          signal.throwIfAborted()
          yield chunk
        }
      },
    }
    const { stored } = await store.put(key, body, signal)
    if (!stored) throw new TierError('damaged', `${key} is taken by other content`)
  }

  /** All of it, from the store: the rows that it replaces are going to be deleted. */
  async #readBack(
    key: string, { full, built: { object, scan }, rewrite }: { full: FullObject; built: BuiltObject; rewrite: GroupRewrite },
  ): Promise<void> {
    const { baseOffset, endOffset } = full
    const inspected = await inspectObject(
      { ...this.#options, chunkBytes: this.#options.limits.compactionReadBytes, requestTimeoutMs: this.#options.limits.requestTimeoutMs },
      { key, bytes: object.bytes, readsBatches: false },
    )
    const { footer } = inspected
    const isSame = inspected.crc32c === object.crc32c && footer.baseOffset === baseOffset && footer.endOffset === endOffset &&
      footer.batchCount === object.batchCount && footer.recordCount === object.recordCount
    if (!isSame) throw new TierError('damaged', `${key}: what the store has is not what was stored`)
    let batches = 0
    let records = 0
    const row = { ...object, key, baseOffset, endOffset, ...rowRest }
    for await (const batch of this.#batches(row, scan.checksums)) {
      batches++
      records += batch.recordCount
      rewrite.check(batch)
    }
    if (batches !== object.batchCount || records !== object.recordCount) throw new TierError('damaged', `${key}: it has lost batches`)
  }

  #countIn({ counts }: GroupRewrite): void {
    this.#counts.recordsRead += counts.recordsRead
    this.#counts.recordsKept += counts.recordsKept
    this.#counts.unreadable += counts.unreadable
  }

  async #producersOf(row: TieredSegment): Promise<ProducersAtEnd> {
    return producersAtEnd((await this.#options.sectionsOf(row, ['producers']))[0]!)
  }

  async *#batches(row: TieredSegment, checksums: ChunkChecksums): AsyncGenerator<RecordBatch> {
    const { store, clock, readRate: rate, limits } = this.#options
    const { signal } = this.#ended
    for await (const batch of batchesOfRow({ store, clock, rate, limits, signal }, row, checksums)) {
      this.#counts.bytesRead += batch.length
      yield batch
    }
  }
}

const nobody: ProducersAtEnd = { last: new Map(), open: [] }

/** Of an object that no row describes yet; nobody here asks for it. */
const rowRest = { epoch: 0, generation: 0, maxTimestampSoFar: -1, sealedAt: 0 }
