import { ErrorCode } from '../protocol/error-code.ts'
import { newUuid, type Random } from '../runtime/random.ts'
import type { BrokerConfig } from './broker-config.ts'
import type { Image, TopicImage } from './image.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { ReplicaPlacer } from './placement.ts'
import { type NewTopic, planMorePartitions, planTopic, refusal, type Refusal, type TopicDefaults } from './topic-changes.ts'

export interface TopicAdminOptions {
  readonly metadata: MetadataLog
  readonly config: BrokerConfig
  readonly random: Random
  /** Partitions that one topic may have. */
  readonly partitionsPerTopicMax: number
  /** Resolves once this broker serves what the image at this position gives it. */
  settled(sequence: number): Promise<void>
}

export type TopicOutcome = { readonly topic: TopicImage } | Refusal

/** Carries out changes to topics: a decision on the newest image, one append, and a wait until they can be used. */
export class TopicAdmin {
  readonly #options: TopicAdminOptions

  constructor(options: TopicAdminOptions) {
    this.#options = options
  }

  /** One outcome per topic, in order. `validateOnly`: says what would happen. Throws `TableError`. */
  async create(topics: readonly Omit<NewTopic, 'id'>[], options: { readonly validateOnly: boolean }): Promise<TopicOutcome[]> {
    const { metadata, random } = this.#options
    const named = topics.map((topic) => ({ ...topic, id: newUuid(random) }))
    const planned = await metadata.change((image) => {
      const plan = planAll(image, named, this.#defaults())
      return { records: options.validateOnly ? [] : plan.records, answer: plan }
    })
    if (!options.validateOnly) await this.#options.settled(metadata.image.sequence)
    return named.map((topic, index) => {
      const refused = planned.refusals[index]
      if (refused !== undefined) return refused
      return { topic: metadata.image.topics.get(topic.id) ?? imagined(topic, planned.records) }
    })
  }

  /**
   * Deletes what is found, each by the newest image: the topic that is gone, or why it is not. Whoever names one topic twice
   * has made a mistake, and keeps it. Throws `TableError`.
   */
  async delete(finds: readonly ((image: Image) => TopicOutcome)[]): Promise<TopicOutcome[]> {
    const { metadata } = this.#options
    const outcomes = await metadata.change((image) => {
      const found = finds.map((find) => find(image))
      const ids = found.flatMap((one) => ('topic' in one ? [one.topic.id] : []))
      const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) !== index))
      const answer = found.map((one) => {
        if ('code' in one || !repeated.has(one.topic.id)) return one
        return refusal(ErrorCode.INVALID_REQUEST, `Topic ${one.topic.name} is named more than once.`)
      })
      const records = ids.filter((id) => !repeated.has(id)).map((topicId) => ({ type: 'topicDeleted' as const, topicId }))
      return { records, answer }
    })
    await this.#options.settled(metadata.image.sequence)
    return outcomes
  }

  /** Undefined: done. Throws `TableError`. */
  async addPartitions(
    wanted: readonly { readonly name: string; readonly count: number; readonly assignments: readonly (readonly number[])[] | null }[],
    options: { readonly validateOnly: boolean },
  ): Promise<(Refusal | undefined)[]> {
    const { metadata } = this.#options
    const refusals = await metadata.change((image) => {
      const plans = wanted.map((one) => planMorePartitions(image, one, this.#defaults()))
      const records = plans.flatMap((plan) => ('code' in plan ? [] : plan))
      return { records: options.validateOnly ? [] : records, answer: plans.map((plan) => ('code' in plan ? plan : undefined)) }
    })
    await this.#options.settled(metadata.image.sequence)
    return refusals
  }

  #defaults(): TopicDefaults {
    const { config, partitionsPerTopicMax } = this.#options
    return {
      partitions: config.number('num.partitions'),
      replicationFactor: config.number('default.replication.factor'),
      partitionsMax: partitionsPerTopicMax,
    }
  }
}

function planAll(image: Image, topics: readonly NewTopic[], defaults: TopicDefaults) {
  const records: MetadataRecord[] = []
  const placer = new ReplicaPlacer(image)
  const refusals = topics.map((topic) => {
    const plan = planTopic(image, topic, { ...defaults, placer })
    if ('code' in plan) return plan
    records.push(...plan)
    return undefined
  })
  return { records, refusals }
}

/** What a topic that was only validated would look like. */
function imagined(topic: NewTopic, records: readonly MetadataRecord[]): TopicImage {
  const partitions = records.flatMap((record) => {
    if (record.type !== 'partitionChanged' || record.topicId !== topic.id) return []
    return [record]
  })
  return { id: topic.id, name: topic.name, partitions }
}
