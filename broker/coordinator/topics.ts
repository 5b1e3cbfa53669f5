import type { Uuid } from '../runtime/random.ts'

/** What the coordinator needs to know of the cluster's topics, as of now. */
export interface Topics {
  /** Grows with every change to any topic. */
  readonly version: number
  byName(name: string): Topic | undefined
  byId(id: Uuid): Topic | undefined
  names(): Iterable<string>
  /** Called after each change with the topics that it deleted. */
  onChange(listener: (deleted: readonly Uuid[]) => void): void
}

export interface Topic {
  readonly id: Uuid
  readonly name: string
  readonly partitionCount: number
}
