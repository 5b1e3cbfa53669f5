// Who leads, as clients can know it: every broker is asked again and again, and the newest epoch is believed. So what is
// measured is how long the cluster could not take a write, and not how patient a client is.

import { setTimeout as sleep } from 'node:timers/promises'
import { WireClient } from '../test/support/wire-client.ts'
import { askForPartitions, type PartitionState } from './metadata.ts'

const askEveryMs = 100
const answerMsMax = 1_000

export class Leaders {
  readonly #topicId: string
  readonly #bootstrap: readonly string[]
  readonly #known = new Map<number, PartitionState>()
  readonly #stopping = new AbortController()
  #nudge = Promise.withResolvers<void>()
  #loops: Promise<unknown> = Promise.resolve()
  /** Called with a partition whose leader or epoch is another one now. */
  onChange: (partition: number) => void = () => {}
  /** Of all partitions. */
  changes = 0

  constructor(topicId: string, bootstrap: readonly string[]) {
    this.#topicId = topicId
    this.#bootstrap = bootstrap
  }

  start(): void {
    this.#loops = Promise.all(this.#bootstrap.map((address) => this.#ask(address)))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.askNow()
    await this.#loops
  }

  of(partition: number): PartitionState | undefined {
    return this.#known.get(partition)
  }

  epochs(): number[] {
    return [...this.#known.values()].toSorted((one, other) => one.partition - other.partition).map(({ leaderEpoch }) => leaderEpoch)
  }

  askNow(): void {
    this.#nudge.resolve()
    this.#nudge = Promise.withResolvers()
  }

  async #ask(address: string): Promise<void> {
    const { signal } = this.#stopping
    let wire: WireClient | undefined
    while (!signal.aborted) {
      try {
        wire ??= await WireClient.connect(address, 'leaders')
        for (const state of await askForPartitions(wire, this.#topicId, answerMsMax)) this.#learn(state)
      } catch {
        wire?.close()
        wire = undefined
      }
      await Promise.race([sleep(askEveryMs), this.#nudge.promise])
    }
    wire?.close()
  }

  #learn(state: PartitionState): void {
    const before = this.#known.get(state.partition)
    if (before !== undefined && state.leaderEpoch < before.leaderEpoch) return
    this.#known.set(state.partition, state)
    if (before === undefined || (before.leader === state.leader && before.leaderEpoch === state.leaderEpoch)) return
    this.changes++
    this.onChange(state.partition)
  }
}
