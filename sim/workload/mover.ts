import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { alterPartitionReassignmentsApi } from '../../broker/protocol/messages/alter-partition-reassignments.ts'
import { electLeadersApi } from '../../broker/protocol/messages/elect-leaders.ts'
import { listPartitionReassignmentsApi } from '../../broker/protocol/messages/list-partition-reassignments.ts'
import { Actor } from './actor.ts'
import type { Client } from './client.ts'

export interface MoverOptions {
  readonly topics: readonly { readonly topic: string; readonly partition: number }[]
  readonly brokers: number
  readonly thinkMs: number
}

/** An operator who never leaves partitions where they are: moves them to other brokers, changes his mind, and asks for leaders. */
export class Mover extends Actor {
  readonly #options: MoverOptions

  constructor(client: Client, options: MoverOptions) {
    super(client)
    this.#options = options
  }

  protected async run(): Promise<void> {
    const { thinkMs } = this.#options
    while (!this.isStopping) {
      const { answer } = await this.client.attempt(() => this.#act())
      if (answer === true) this.done++
      else this.client.hangUp()
      await this.client.think(thinkMs)
    }
  }

  /** Whether the request as a whole was carried out. */
  async #act(): Promise<boolean> {
    const { dice } = this.client
    const { topic: name, partition } = dice.pick(this.#options.topics)
    const wire = await this.client.anyone()
    const kind = dice.fraction()
    if (kind < 0.1) {
      const { errorCode } = await wire.call(electLeadersApi, { electionType: 0, topicPartitions: null, timeoutMs: 5_000 })
      return errorCode === ErrorCode.NONE
    }
    if (kind < 0.2) return (await wire.call(listPartitionReassignmentsApi, { timeoutMs: 5_000, topics: null })).errorCode === ErrorCode.NONE
    const replicas = kind < 0.3 ? null : this.#someBrokers()
    const { errorCode } = await wire.call(alterPartitionReassignmentsApi, {
      timeoutMs: 5_000, allowReplicationFactorChange: true, topics: [{ name, partitions: [{ partitionIndex: partition, replicas }] }],
    })
    return errorCode === ErrorCode.NONE
  }

  /** At least two: of one replica a lost disk may rightly take everything. */
  #someBrokers(): number[] {
    const { dice } = this.client
    const left = Array.from({ length: this.#options.brokers }, (_, index) => index + 1)
    const count = dice.fraction() < 0.7 ? 2 : 3
    return Array.from({ length: Math.min(count, left.length) }, () => {
      const id = dice.pick(left)
      left.splice(left.indexOf(id), 1)
      return id
    })
  }
}
