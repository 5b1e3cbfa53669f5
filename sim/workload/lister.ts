import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { listOffsetsApi } from '../../broker/protocol/messages/list-offsets.ts'
import type { Listing, Place } from '../check/history.ts'
import { Actor } from './actor.ts'
import type { Client } from './client.ts'

export interface End extends Place {
  readonly topic: string
  readonly which: Listing['which']
}

/** Asks the leader for an end of a partition; `NoAnswer` where there was none. */
export async function askForEnd(client: Client, end: End): Promise<{ readonly error: number; readonly offset: number }> {
  const wire = await client.leaderOf(end)
  const { topics: [topic] } = await wire.call(listOffsetsApi, {
    replicaId: -1, isolationLevel: end.which === 'stable' ? 1 : 0, timeoutMs: 5_000,
    topics: [{ name: end.topic, partitions: [{
      partitionIndex: end.partition, currentLeaderEpoch: client.epochOf(end), timestamp: end.which === 'earliest' ? -2 : -1,
    }] }],
  })
  const found = topic?.partitions[0]
  return { error: found?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR, offset: found?.offset ?? -1 }
}

/** Asks for the ends of partitions, one after another. */
export class Lister extends Actor {
  readonly #places: readonly (Place & { readonly topic: string })[]

  constructor(client: Client, places: readonly (Place & { readonly topic: string })[]) {
    super(client)
    this.#places = places
  }

  protected async run(): Promise<void> {
    while (!this.isStopping) {
      const { topic, topicId, partition } = this.client.dice.pick(this.#places)
      const which = this.client.dice.pick(['earliest', 'latest', 'stable'] as const)
      const { invokedAt, endedAt, answer } = await this.client.attempt(() => askForEnd(this.client, { topic, topicId, partition, which }))
      if (answer?.error === ErrorCode.NONE) {
        this.done++
        this.client.history.listings.push({ topicId, partition, which, offset: answer.offset, invokedAt, endedAt })
      } else this.client.hangUp()
      await this.client.think(300)
    }
  }
}
