// Cluster metadata is a log in the table: one item per batch of records, put if absent at the next number. To change
// something, fold what is there, decide, and append; whoever loses the race folds the winner in and decides again.
//
//   table partition `metadata`   sort key 000000000042   value { records: [...] }
//
// No leader is needed for that, and one conditional write can move a thousand partitions. Now and then the image is written
// down, and what led to it is deleted (metadata-snapshot.ts).

import { type Json, type Table, TableError, type Write } from '../table/table.ts'
import { emptyImage, fold, type Image } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { chunksOf, type Floor, floorIs, moveFloor, noFloor, readFloor, readSnapshot, sortKey, sweepBelow } from './metadata-snapshot.ts'

const tablePartition = 'metadata'

export interface MetadataLogOptions {
  readonly table: Table
  /** Characters of JSON that one item holds at most; larger batches span several items in one commit. */
  readonly itemCharactersMax: number
  /** How often a change is decided anew after it lost a race. */
  readonly attemptsMax: number
  /** Items behind the floor after which it is moved, and as many more for each chunk of a snapshot. */
  readonly itemsPerSnapshot: number
  /** Something was appended by this process, up to this item: others may want to hear of it. */
  onAppended?(sequence: number): void
}

/** What to append, and what to answer once it is; or an answer alone, where nothing is to be changed. */
export interface Decision<T> {
  readonly records: readonly MetadataRecord[]
  readonly answer: T
}

/** What an item of the table has to be. */
export type Condition = Pick<Extract<Write, { readonly kind: 'check' }>, 'key' | 'expect'>

export class MetadataLog {
  readonly #options: MetadataLogOptions
  readonly #listeners = new Set<(image: Image) => void>()
  #image: Image = emptyImage
  #floor: Floor = noFloor
  /** The floor is not moved before the log has come so far. */
  #snapshotAt = 0
  #last: Promise<unknown> = Promise.resolve()
  #waiters: { readonly sequence: number; readonly resolve: () => void }[] = []

  private constructor(options: MetadataLogOptions) {
    this.#options = options
  }

  /** Reads the whole log. Throws `TableError` where the table is away. */
  static async open(options: MetadataLogOptions): Promise<MetadataLog> {
    const log = new MetadataLog(options)
    await log.#inTurn(async () => {
      await log.#begin()
      await log.#catchUp()
    })
    return log
  }

  get image(): Image {
    return this.#image
  }

  /** Called after each change with the image that it led to, in order. */
  onChange(listener: (image: Image) => void): void {
    this.#listeners.add(listener)
  }

  /** Resolves once the image shows what was appended up to this item. */
  reached(sequence: number): Promise<void> {
    if (this.#image.sequence >= sequence) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ sequence, resolve }))
  }

  /** Folds in what others appended. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#catchUp())
  }

  /**
   * Decides on the newest image and appends. `decide` is pure: it is called again when someone else was first.
   * Throws `TableError` where the table is away or the outcome is unknown; the image then shows, later, what happened.
   * Throws where the records do not follow from the image: they would stop whoever reads them, and are not written.
   */
  change<T>(decide: (image: Image) => Decision<T>): Promise<T> {
    return this.#change(decide, undefined) as Promise<T>
  }

  /** The same, as long as an item of the table is as it was: undefined where it is not, and then nothing is appended. */
  changeWhile<T>(condition: Condition, decide: (image: Image) => Decision<T>): Promise<T | undefined> {
    return this.#change(decide, condition)
  }

  #change<T>(decide: (image: Image) => Decision<T>, condition: Condition | undefined): Promise<T | undefined> {
    return this.#inTurn(async () => {
      // Whoever appends learns from a lost race that others were first; whoever refuses has to look.
      let isNewest = false
      for (let attempt = 0; attempt < this.#options.attemptsMax; attempt++) {
        const { records, answer } = decide(this.#image)
        const outcome = records.length > 0 ? await this.#append(records, condition) : isNewest ? 'appended' : 'raced'
        if (outcome !== 'raced') return outcome === 'appended' ? answer : undefined
        if (records.length > 0) await this.#lookAtFloor()
        await this.#catchUp()
        isNewest = true
      }
      throw new TableError('away', `the metadata log was contended ${this.#options.attemptsMax} times in a row`)
    })
  }

  /** `raced`: someone else was first; `refused`: the condition does not hold. */
  async #append(records: readonly MetadataRecord[], condition: Condition | undefined): Promise<'appended' | 'raced' | 'refused'> {
    const items = this.#items(records)
    items.reduce((image, { sequence, records }) => fold(image, sequence, records), this.#image)
    const conditions = condition === undefined ? [] : [{ kind: 'check' as const, ...condition }]
    const result = await this.#options.table.commit([floorIs(this.#floor), ...conditions, ...items.map(({ write }) => write)])
    if (!result.committed) {
      const { key } = condition ?? {}
      const isRefused = result.conflicts.some(({ partition, sort }) => partition === key?.partition && sort === key.sort)
      return isRefused ? 'refused' : 'raced'
    }
    for (const item of items) this.#advance(item.sequence, item.records)
    this.#options.onAppended?.(this.#image.sequence)
    return 'appended'
  }

  /** Moves the floor where enough has come behind it, and deletes what is below. Throws `TableError`. */
  async tidy(): Promise<void> {
    const { table, itemsPerSnapshot, itemCharactersMax } = this.#options
    const image = this.#image
    if (image.sequence < this.#snapshotAt || image.sequence - this.#floor.sequence < itemsPerSnapshot) return
    const chunks = chunksOf(image, itemCharactersMax)
    // The larger the image, the more rarely it is worth writing down.
    this.#snapshotAt = this.#floor.sequence + itemsPerSnapshot * (1 + chunks.length)
    if (image.sequence < this.#snapshotAt) return
    const moved = await moveFloor(table, this.#floor, { sequence: image.sequence, chunks })
    if (moved === undefined) return this.refresh()
    this.#floor = moved
    await sweepBelow(table, tablePartition, moved)
  }

  #items(records: readonly MetadataRecord[]): { sequence: number; records: MetadataRecord[]; write: Write }[] {
    const batches: MetadataRecord[][] = []
    let characters = Infinity
    for (const record of records) {
      const length = JSON.stringify(record).length + 1
      if (characters + length > this.#options.itemCharactersMax) {
        batches.push([])
        characters = 0
      }
      batches.at(-1)!.push(record)
      characters += length
    }
    return batches.map((batch, index) => {
      const sequence = this.#image.sequence + 1 + index
      const key = { partition: tablePartition, sort: sortKey(sequence) }
      return { sequence, records: batch, write: { kind: 'put', key, value: { records: batch } as unknown as Json, expect: 'absent' } }
    })
  }

  /** Begins with the snapshot where the log is gone up to there. */
  async #begin(): Promise<void> {
    const snapshot = await readSnapshot(this.#options.table)
    if (snapshot === undefined) return
    this.#floor = snapshot.floor
    if (snapshot.image.sequence > this.#image.sequence) this.#set(snapshot.image)
  }

  async #lookAtFloor(): Promise<void> {
    const { version, sequence } = await readFloor(this.#options.table)
    this.#floor = { version, sequence }
  }

  async #catchUp(): Promise<void> {
    for (let attempt = 0; attempt < this.#options.attemptsMax; attempt++) {
      if (await this.#readOn()) return
      await this.#begin()
    }
    throw new TableError('away', 'the metadata log was trimmed as fast as it was read')
  }

  /** False where the log does not go on from here: it is gone, up to the floor. */
  async #readOn(): Promise<boolean> {
    const items = await this.#options.table.query(tablePartition, { start: sortKey(this.#image.sequence + 1) })
    for (const item of items) {
      const sequence = Number(item.sort)
      if (sequence > this.#image.sequence + 1) return false
      const { records } = item.value as unknown as { records: MetadataRecord[] }
      this.#advance(sequence, records)
    }
    return true
  }

  #advance(sequence: number, records: readonly MetadataRecord[]): void {
    if (sequence !== this.#image.sequence + 1) {
      throw new Error(`metadata log: item ${sequence} follows ${this.#image.sequence}`)
    }
    this.#set(fold(this.#image, sequence, records))
  }

  #set(image: Image): void {
    this.#image = image
    for (const listener of this.#listeners) listener(image)
    this.#waiters = this.#waiters.filter(({ sequence, resolve }) => {
      if (sequence <= image.sequence) resolve()
      return sequence > image.sequence
    })
  }

  /** One refresh or change at a time: both read the image, wait, and advance it. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run, run)
    this.#last = turn.catch(() => {})
    return turn
  }
}
