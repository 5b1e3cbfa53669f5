// The partitions of this broker, kept in step with the metadata image: what the image gives us is opened, what it takes
// away is closed, and the records of a deleted topic are removed.

import { emptyImage, type Image, type PartitionImage, type TopicImage } from '../cluster/image.ts'
import { LogError } from '../log/log-error.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Uuid } from '../runtime/random.ts'
import type { Partition } from './partition.ts'

export interface PartitionsOptions {
  readonly brokerId: number
  /** Logs that are opened at the same time. */
  readonly openingMax: number
  /** Opens a partition's log and its part in the tier. */
  open(topic: TopicImage, partition: PartitionImage): Promise<Partition>
  /** Closes a partition for good and removes its records: its topic was deleted. */
  remove(partition: Partition): Promise<void>
  close(partition: Partition): Promise<void>
  /** A partition could not be opened: it is offline for now, and the others go on. */
  onFault(topic: TopicImage, partition: number, cause: unknown): void
}

export class Partitions {
  readonly #options: PartitionsOptions
  readonly #topics = new Map<Uuid, Map<number, Partition>>()
  /** Partitions that are ours but could not be opened, by whether that is final: their files contradict themselves. */
  readonly #offline = new Map<string, { readonly topicId: Uuid; readonly partition: number; readonly isFinal: boolean }>()
  /** What is carried out, and what is to be. */
  #image: Image = emptyImage
  #wanted: Image = emptyImage
  #running: Promise<void> | undefined
  #waiters: { sequence: number; resolve: () => void }[] = []

  constructor(options: PartitionsOptions) {
    this.#options = options
  }

  /** The partition, or why this broker does not serve it. */
  leader(topicId: Uuid, partition: number): Partition | ErrorCode {
    const open = this.#topics.get(topicId)?.get(partition)
    if (open !== undefined) return open
    const topic = this.#image.topics.get(topicId)
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
    const known = topic.partitions[partition]
    if (known === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (this.#offline.has(keyOf(topicId, partition))) return ErrorCode.KAFKA_STORAGE_ERROR
    return ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  *[Symbol.iterator](): Generator<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }

  get offlineCount(): number {
    return this.#offline.size
  }

  /** Takes note of a new image; `settled` tells when it is carried out. */
  follow(image: Image): void {
    this.#wanted = image
    this.#running ??= this.#run()
  }

  /** Resolves once this broker serves what the image at this position gives it. */
  settled(sequence: number): Promise<void> {
    if (this.#image.sequence >= sequence && this.#running === undefined) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ sequence, resolve }))
  }

  /**
   * Opens what could not be opened because a disk or the object store did not answer; what is damaged waits for a person.
   * Resolves when that was tried.
   */
  async reopen(): Promise<void> {
    const waiting = [...this.#offline.values()].filter(({ isFinal }) => !isFinal)
    if (waiting.length === 0 || this.#running !== undefined) return
    const retried = inParallel(waiting.map((one) => () => this.#reopen(one)), this.#options.openingMax)
    // An image that comes meanwhile is carried out after it.
    this.#running = retried.then(() => this.#run())
    await retried
  }

  async #reopen({ topicId, partition: index }: { readonly topicId: Uuid; readonly partition: number }): Promise<void> {
    const topic = this.#image.topics.get(topicId)
    const partition = topic?.partitions[index]
    if (topic !== undefined && partition?.leader === this.#options.brokerId) await this.#open(topic, partition)
    else this.#offline.delete(keyOf(topicId, index))
  }

  async close(): Promise<void> {
    await this.#running
    await Promise.all([...this].map((partition) => this.#options.close(partition)))
    this.#topics.clear()
  }

  async #run(): Promise<void> {
    while (this.#image !== this.#wanted) {
      const image = this.#wanted
      await this.#reconcile(image)
      this.#image = image
      this.#waiters = this.#waiters.filter(({ sequence, resolve }) => {
        if (sequence > image.sequence) return true
        resolve()
        return false
      })
    }
    this.#running = undefined
  }

  async #reconcile(image: Image): Promise<void> {
    for (const [topicId, partitions] of this.#topics) {
      if (image.topics.has(topicId)) continue
      this.#topics.delete(topicId)
      await Promise.all([...partitions.values()].map((partition) => this.#options.remove(partition)))
    }
    for (const [key, { topicId }] of this.#offline) if (!image.topics.has(topicId)) this.#offline.delete(key)
    const missing: (() => Promise<void>)[] = []
    for (const topic of image.topics.values()) {
      if (topic === this.#image.topics.get(topic.id)) continue
      for (const partition of topic.partitions) this.#compare(topic, partition, missing)
    }
    await inParallel(missing, this.#options.openingMax)
  }

  #compare(topic: TopicImage, partition: PartitionImage, missing: (() => Promise<void>)[]): void {
    if (partition.leader !== this.#options.brokerId) return
    const open = this.#topics.get(topic.id)?.get(partition.partition)
    const isOffline = this.#offline.has(keyOf(topic.id, partition.partition))
    if (open === undefined && !isOffline) missing.push(() => this.#open(topic, partition))
    else if (open !== undefined && open.leaderEpoch !== partition.leaderEpoch) open.lead(partition.leaderEpoch)
  }

  async #open(topic: TopicImage, partition: PartitionImage): Promise<void> {
    const key = keyOf(topic.id, partition.partition)
    try {
      const open = await this.#options.open(topic, partition)
      let partitions = this.#topics.get(topic.id)
      if (partitions === undefined) this.#topics.set(topic.id, (partitions = new Map()))
      partitions.set(partition.partition, open)
      this.#offline.delete(key)
    } catch (cause) {
      this.#offline.set(key, { topicId: topic.id, partition: partition.partition, isFinal: cause instanceof LogError })
      this.#options.onFault(topic, partition.partition, cause)
    }
  }
}

function keyOf(topicId: Uuid, partition: number): string {
  return `${topicId}:${partition}`
}

async function inParallel(jobs: readonly (() => Promise<void>)[], max: number): Promise<void> {
  const left = jobs.values()
  const worker = async () => {
    for (const job of left) await job()
  }
  await Promise.all(Array.from({ length: Math.min(max, jobs.length) }, worker))
}
