import { type CoordinatorDirectory, type CoordinatorKind, coordinatorShards, shardOf } from './directory.ts'

/** The shards of one kind that this broker owns, as the directory has it when it is asked. */
export class OwnShards {
  readonly #directory: CoordinatorDirectory
  readonly #kind: CoordinatorKind

  constructor(directory: CoordinatorDirectory, kind: CoordinatorKind) {
    this.#directory = directory
    this.#kind = kind
  }

  /** Whether this broker coordinates what goes by the key. */
  hold(key: string): boolean {
    return this.#has(shardOf(key))
  }

  all(): number[] {
    return Array.from({ length: coordinatorShards }, (_, shard) => shard).filter((shard) => this.#has(shard))
  }

  #has(shard: number): boolean {
    const owner = this.#directory.ownerOf(this.#kind, shard)
    return typeof owner !== 'number' && owner.nodeId === this.#directory.brokerId
  }
}
