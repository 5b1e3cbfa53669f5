import type { AbortedTransaction } from '../log/sealed-segment.ts'
import { SegmentIndex } from '../log/segment-index.ts'
import { RecordBatch } from '../protocol/record-batch.ts'
import type { Disk, DiskFile } from '../runtime/disk.ts'
import type { GroupToClean } from './compaction-io.ts'

/** Of one write. */
const pieceBytes = 1024 * 1024

/** What stays of a group of segments, as a segment and its index beside the log's own files. */
export class CleanedFile {
  readonly #disk: Disk
  readonly #file: DiskFile
  readonly #of: GroupToClean
  readonly #index = new SegmentIndex()
  readonly #piece = Buffer.allocUnsafeSlow(pieceBytes)
  #filled = 0
  #written = 0

  private constructor(disk: Disk, file: DiskFile, of: GroupToClean) {
    this.#disk = disk
    this.#file = file
    this.#of = of
  }

  static async create(disk: Disk, of: GroupToClean): Promise<CleanedFile> {
    const file = await disk.open(of.path, { create: true })
    try {
      await file.truncate(0)
    } catch (cause) {
      await file.close()
      throw cause
    }
    return new CleanedFile(disk, file, of)
  }

  get bytes(): number {
    return this.#written + this.#filled
  }

  /** Takes a batch over; its bytes are the caller's again when it resolves. */
  async add(bytes: Buffer): Promise<void> {
    this.#index.note(new RecordBatch(bytes), { position: this.bytes, intervalBytes: this.#of.indexIntervalBytes })
    if (this.#filled + bytes.length > pieceBytes) await this.#flush()
    if (bytes.length > pieceBytes) {
      await this.#file.write([bytes], this.#written)
      this.#written += bytes.length
    } else {
      this.#filled += bytes.copy(this.#piece, this.#filled)
    }
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0) return
    await this.#file.write([this.#piece.subarray(0, this.#filled)], this.#written)
    this.#written += this.#filled
    this.#filled = 0
  }

  /** Durable when it resolves, with its index. `aborted`: transactions whose marker was in the group. */
  async finish(aborted: readonly AbortedTransaction[]): Promise<void> {
    await this.#flush()
    await this.#file.sync()
    for (const one of aborted) this.#index.aborted.push(one)
    // With it the file's own name becomes durable.
    await this.#disk.replaceFile(this.#of.indexPath, this.#index.encode(this.bytes))
  }

  /** Nothing is lost with a file that was synced, or is not wanted. */
  async close(): Promise<void> {
    await this.#file.close().catch(() => {})
  }
}
