import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { offsetCommitApi } from '../../broker/protocol/messages/offset-commit.ts'
import { offsetFetchApi } from '../../broker/protocol/messages/offset-fetch.ts'
import type { Outcome, Place } from '../check/history.ts'
import { Actor } from './actor.ts'
import type { Client } from './client.ts'

/** Answers after which the offset is surely as it was. */
const surelyNotCommitted: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.OFFSET_METADATA_TOO_LARGE,
])

/** The only client of a group without members: commits an offset that grows, and looks what is committed. */
export class Committer extends Actor {
  readonly #place: Place
  readonly #group: string
  #offset = 0

  constructor(client: Client, place: Place) {
    super(client)
    this.#place = place
    this.#group = `group-${client.name}`
  }

  protected async run(): Promise<void> {
    while (!this.isStopping) {
      const isGood = this.client.dice.chance(0.6) ? await this.#commit() : await this.#look()
      if (isGood) this.done++
      else this.client.hangUp()
      await this.client.think(150)
    }
  }

  async #commit(): Promise<boolean> {
    const { topicId, partition } = this.#place
    const offset = ++this.#offset
    const { invokedAt, endedAt, answer } = await this.client.attempt(async () => (await this.client.groupCoordinator(this.#group)).call(offsetCommitApi, {
      groupId: this.#group, memberId: '',
      topics: [{ name: '', topicId, partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }] }],
    }))
    const error = answer?.topics[0]?.partitions[0]?.errorCode
    const outcome: Outcome = error === ErrorCode.NONE ? 'ok' : error !== undefined && surelyNotCommitted.has(error) ? 'fail' : 'info'
    this.client.history.offsets.push({ ...this.#place, group: this.#group, kind: 'commit', offset, outcome, invokedAt, endedAt })
    return outcome === 'ok'
  }

  async #look(): Promise<boolean> {
    const { topicId, partition } = this.#place
    const { invokedAt, endedAt, answer } = await this.client.attempt(async () => (await this.client.groupCoordinator(this.#group)).call(offsetFetchApi, {
      groupId: '', topics: [], groups: [{ groupId: this.#group, topics: [{ name: '', topicId, partitionIndexes: [partition] }] }], requireStable: false,
    }))
    const group = answer?.groups[0]
    const found = group?.topics[0]?.partitions[0]
    const isGood = group?.errorCode === ErrorCode.NONE && found?.errorCode === ErrorCode.NONE
    const offset = found?.committedOffset ?? -1
    this.client.history.offsets.push({ ...this.#place, group: this.#group, kind: 'fetch', offset, outcome: isGood ? 'ok' : 'info', invokedAt, endedAt })
    return isGood
  }
}
