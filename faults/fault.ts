// Faults are data: what is done, what undoes it, how one sees that it had an effect, and how long writes may stop for it.

import type { Cluster } from './cluster.ts'
import type { Load } from './load.ts'
import { observe, type PartitionState } from './metadata.ts'
import type { Transactions } from './transactions.ts'

export interface Fault {
  readonly name: string
  /** Of the fault matrix; what it stands for is said in docs/faults.md. */
  readonly row: string
  /** How long it lasts, in seconds. */
  readonly seconds: number
  /** The longest time without an acknowledgement, in milliseconds; undefined where writes have to stop. */
  readonly gapMsMax: number | undefined
  /**
   * Where followers are silent too: the same for partitions that the broker did not lead which is cut off. They wait for it
   * until it has lagged for `replica.lag.time.max.ms` (5 s). Where not given, all partitions are alike.
   */
  readonly elsewhereMsMax?: number
  /** Transactions go on beside the load. */
  readonly hasTransactions?: true
  begin(scene: Scene): Promise<Ongoing>
}

export interface Ongoing {
  /** What it did, in words, asked just before it ends. Throws where it did nothing: then nothing was shown. */
  effect(): Promise<string>
  /** May say what it left. */
  end(): Promise<string | void>
}

export interface Scene {
  readonly cluster: Cluster
  readonly load: Load
  /** Leads the first partition when the fault begins. */
  readonly leader: number
  /** Does not, and the other one. */
  readonly follower: number
  readonly other: number
  readonly begunAt: number
  readonly epochs: readonly number[]
  /** Partitions that `leader` led. */
  readonly led: readonly number[]
  /** Where the fault wants them. */
  readonly transactions: Transactions | undefined
}

export async function sceneOf(cluster: Cluster, load: Load, transactions: Transactions | undefined): Promise<Scene> {
  const states = await partitionsNow({ cluster, load })
  const leader = states[0]!.leader
  const [follower, other] = cluster.others(leader) as [number, number]
  const led = states.filter((state) => state.leader === leader).map(({ partition }) => partition)
  return { cluster, load, transactions, leader, follower, other, led, begunAt: performance.now(), epochs: states.map(({ leaderEpoch }) => leaderEpoch) }
}

export function partitionsNow({ cluster, load }: Pick<Scene, 'cluster' | 'load'>): Promise<PartitionState[]> {
  return observe(cluster.observed, load.topicId)
}
