// Carries what leaders propose about who is in sync into the metadata log: one change at a time for all partitions of this
// broker, so that the death of a broker costs one append and not a thousand. It counts once it is there (R4, R5).

import { planIsr, type WantedIsr } from '../cluster/leadership.ts'
import type { MetadataLog } from '../cluster/metadata-log.ts'
import type { PartitionChanged } from '../cluster/metadata-record.ts'
import { allRules, type Rules } from '../runtime/rules.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Proposal } from './leader-state.ts'
import type { LeaderTerm } from './leader-term.ts'
import type { Partition } from './partition.ts'

export interface IsrChangesOptions {
  readonly metadata: Pick<MetadataLog, 'change'>
  readonly clock: Clock
  readonly brokerId: number
  /** Milliseconds after which a change is tried again whose outcome is not known. */
  readonly retryMs: number
  /** Partitions in one change. */
  readonly partitionsMax: number
  readonly rules?: Rules
  onFault(cause: unknown): void
}

interface Change {
  readonly partition: Partition
  readonly term: LeaderTerm
  readonly proposal: Proposal
  readonly wanted: WantedIsr
}

export class IsrChanges {
  readonly #options: IsrChangesOptions
  readonly #asking = new Set<Partition>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: IsrChangesOptions) {
    this.#options = options
  }

  /** The partition's leader has something to propose. */
  ask(partition: Partition): void {
    if (this.#stopping.signal.aborted) return
    this.#asking.add(partition)
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, retryMs, onFault } = this.#options
    const { signal } = this.#stopping
    // Not within the caller: whatever it is in the middle of goes first.
    await Promise.resolve()
    while (this.#asking.size > 0 && !signal.aborted) {
      const changes = this.#take()
      if (changes.length === 0) continue
      try {
        await this.#carryOut(changes)
      } catch (cause) {
        for (const { term, partition } of changes) {
          term.loseProposal()
          this.#asking.add(partition)
        }
        onFault(cause)
        await sleep(clock, retryMs, signal)
      }
    }
  }

  #take(): Change[] {
    const changes: Change[] = []
    for (const partition of this.#asking) {
      if (changes.length === this.#options.partitionsMax) break
      this.#asking.delete(partition)
      const { term } = partition
      const proposal = term?.plan()
      if (term === undefined || proposal === undefined) continue
      const { leaderEpoch, partitionEpoch } = term.state
      const { topicId, partition: index } = partition
      const wanted = { topicId, partition: index, leader: this.#options.brokerId, leaderEpoch, partitionEpoch, isr: proposal.isr }
      term.propose(proposal)
      changes.push({ partition, term, proposal, wanted })
    }
    return changes
  }

  async #carryOut(changes: readonly Change[]): Promise<void> {
    const { metadata, rules = allRules } = this.#options
    const decided = await metadata.change((image) => {
      const plans = changes.map(({ wanted }) => planIsr(image, wanted, rules))
      const records = plans.filter((plan): plan is PartitionChanged => typeof plan !== 'string')
      return { records, answer: plans }
    })
    decided.forEach((plan, index) => {
      if (typeof plan === 'string') this.#refused(changes[index]!)
    })
  }

  /** What was carried out has come back with the image; what was refused is planned anew where there is still a reason. */
  #refused({ partition, term, proposal }: Change): void {
    if (term.isOver || term.state.proposal === undefined) return
    term.refuseProposal({ wasUnknown: proposal.isUnknown })
    if (proposal.isUnknown) this.#asking.add(partition)
  }
}
