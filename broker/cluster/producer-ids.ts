import { type Table, TableError } from '../table/table.ts'

const key = { partition: 'counters', sort: 'producer-id' }

export interface ProducerIdsOptions {
  readonly table: Table
  /** Ids that are taken from the table at once; what is left of them is lost at a restart. */
  readonly blockLength: number
  /** How often a block is asked for again after another broker was faster. */
  readonly attemptsMax: number
}

/** Hands out producer ids, each once in the life of a cluster: brokers take blocks of them from a counter in the table. */
export class ProducerIds {
  readonly #options: ProducerIdsOptions
  #next = 0
  #end = 0
  #refill: Promise<void> | undefined

  constructor(options: ProducerIdsOptions) {
    this.#options = options
  }

  /** Throws `TableError` where a new block is needed and cannot be had. */
  async next(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#refill ??= this.#takeBlock().finally(() => {
        this.#refill = undefined
      })
      await this.#refill
    }
    return this.#next++
  }

  async #takeBlock(): Promise<void> {
    const { table, blockLength, attemptsMax } = this.#options
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const item = await table.get(key)
      const start = item === undefined ? 0 : (item.value as { next: number }).next
      const end = start + blockLength
      const { committed } = await table.commit([{ kind: 'put', key, value: { next: end }, expect: item?.version ?? 'absent' }])
      if (!committed) continue
      this.#next = start
      this.#end = end
      return
    }
    throw new TableError('away', `the producer id counter was contended ${attemptsMax} times in a row`)
  }
}
