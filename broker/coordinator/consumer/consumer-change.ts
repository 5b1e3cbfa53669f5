import type { Topics } from '../topics.ts'
import { type ConsumerGroup, type ConsumerMember, emptyConsumerGroup, foldConsumer } from './consumer-group.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import { haveTopicsChanged, hashOfTopics, subscribedTopicsOf } from './subscriptions.ts'
import { computeTargets } from './target.ts'

/** A consumer group while one command is being decided: what it will be, and the records that lead there. */
export class ConsumerChange {
  readonly topics: Topics
  readonly records: ConsumerRecord[] = []
  #group: ConsumerGroup

  constructor(group: ConsumerGroup | undefined, topics: Topics) {
    this.#group = group ?? emptyConsumerGroup
    this.topics = topics
  }

  get group(): ConsumerGroup {
    return this.#group
  }

  add(...records: readonly ConsumerRecord[]): void {
    if (records.length === 0) return
    this.records.push(...records)
    this.#group = foldConsumer(this.#group, records)
  }

  put(member: ConsumerMember): void {
    if (this.#group.members.get(member.memberId) !== member) this.add({ type: 'consumerMember', member })
  }

  /** Who subscribes to what, or the topics themselves, have changed. */
  raiseEpoch(): void {
    const subscribed = subscribedTopicsOf(this.#group.members.values(), this.topics)
    this.add({ type: 'consumerEpoch', epoch: this.#group.epoch + 1, topicsHash: hashOfTopics(subscribed, this.topics), subscribed })
  }

  raiseEpochIfTopicsChanged(): void {
    if (haveTopicsChanged(this.#group, this.topics)) this.raiseEpoch()
  }

  assignIfNeeded(): void {
    if (this.#group.epoch > this.#group.assignmentEpoch) this.add(computeTargets(this.#group, this.topics))
  }
}
