import type { CompactionFigures } from './compact-partition.ts'

/** What compaction did since the start, over all partitions of a broker. */
export interface CompactionMetrics {
  /** Now under way: 0 or 1. */
  readonly running: number
  readonly passes: number
  readonly failures: number
  /** Of batches in rows that were replaced, and in those that came for them. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly objectsIn: number
  readonly objectsOut: number
  readonly recordsDropped: number
  readonly tookMs: number
}

export class CompactionFigureSums {
  #sums: CompactionMetrics = {
    running: 0, passes: 0, failures: 0, bytesIn: 0, bytesOut: 0, objectsIn: 0, objectsOut: 0, recordsDropped: 0, tookMs: 0,
  }

  get metrics(): CompactionMetrics {
    return this.#sums
  }

  begin(): void {
    this.#sums = { ...this.#sums, running: this.#sums.running + 1 }
  }

  end(): void {
    this.#sums = { ...this.#sums, running: this.#sums.running - 1 }
  }

  fail(): void {
    this.#sums = { ...this.#sums, failures: this.#sums.failures + 1 }
  }

  add(pass: CompactionFigures & { readonly kind: string }): void {
    const { bytesIn, bytesOut, rowsIn, rowsOut, recordsIn, recordsOut, tookMs } = pass
    const sums = this.#sums
    this.#sums = {
      ...sums, passes: sums.passes + Number(pass.kind === 'done'), bytesIn: sums.bytesIn + bytesIn, bytesOut: sums.bytesOut + bytesOut,
      objectsIn: sums.objectsIn + rowsIn, objectsOut: sums.objectsOut + rowsOut,
      recordsDropped: sums.recordsDropped + recordsIn - recordsOut, tookMs: sums.tookMs + tookMs,
    }
  }
}
