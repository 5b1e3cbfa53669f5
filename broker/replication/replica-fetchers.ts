import type { Partition } from './partition.ts'
import { type FetcherOptions, ReplicaFetcher } from './replica-fetcher.ts'

/** Keeps each partition that follows with the fetcher of its leader; there is one per leader, made when it is needed. */
export class ReplicaFetchers {
  readonly #options: Omit<FetcherOptions, 'leader'>
  readonly #fetchers = new Map<number, ReplicaFetcher>()
  readonly #leaders = new Map<Partition, number>()
  #isStopped = false

  constructor(options: Omit<FetcherOptions, 'leader'>) {
    this.#options = options
  }

  /** Partitions that are being copied. */
  get size(): number {
    return this.#leaders.size
  }

  /** To be called whenever a partition's role changes. */
  update(partition: Partition): void {
    const { role } = partition
    const before = this.#leaders.get(partition)
    if (before !== undefined) this.#remove(partition, before)
    if (role.kind !== 'follows' || this.#isStopped) return
    let fetcher = this.#fetchers.get(role.leader)
    if (fetcher === undefined) {
      fetcher = new ReplicaFetcher({ ...this.#options, leader: role.leader })
      this.#fetchers.set(role.leader, fetcher)
    }
    this.#leaders.set(partition, role.leader)
    fetcher.add(partition, role.leaderEpoch)
  }

  #remove(partition: Partition, leader: number): void {
    this.#leaders.delete(partition)
    const fetcher = this.#fetchers.get(leader)
    fetcher?.remove(partition)
    if (fetcher?.size !== 0) return
    this.#fetchers.delete(leader)
    void fetcher.stop()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#fetchers.values()].map((fetcher) => fetcher.stop()))
  }
}
