// The partitions of this broker, kept in step with the metadata image: what it has a replica of is opened, and takes the
// role that the image says at once; what it has none of any more, and what is left of deleted topics, is removed.

import { emptyImage, type Image, type PartitionImage, type TopicImage } from '../cluster/image.ts'
import type { Brokenness } from '../cluster/leadership.ts'
import { LogError } from '../log/log-error.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import type { Uuid } from '../runtime/random.ts'
import type { Partition } from './partition.ts'

export interface PartitionsOptions {
  readonly brokerId: number
  /** Logs that are opened at the same time. */
  readonly openingMax: number
  /** Opens a partition's log and its part in the tier. A new one was created just now: nobody can have had records of it. */
  open(topic: TopicImage, partition: PartitionImage, known: { readonly isNew: boolean }): Promise<Partition>
  /** Closes a partition for good and removes its records: its topic was deleted, or its replica was moved away. */
  remove(partition: Partition): Promise<void>
  close(partition: Partition): Promise<void>
  /** A partition could not be opened: it is offline for now, and the others go on. */
  onFault(topic: TopicImage, partition: number, cause: unknown): void
  /** Files of a partition that is ours no more could not be removed. They stay, and the next start names them. */
  onLeftBehind(partition: Partition, cause: unknown): void
}

export class Partitions {
  readonly #options: PartitionsOptions
  readonly #topics = new Map<Uuid, Map<number, Partition>>()
  /** Partitions that are ours but could not be opened, by whether that is final: their files contradict themselves. */
  readonly #offline = new Map<string, { readonly topicId: Uuid; readonly partition: number; readonly isFinal: boolean }>()
  /** What is carried out, and what is to be. */
  #image: Image = emptyImage
  #wanted: Image = emptyImage
  /** Replicas that are on their way out. A slow disk or bucket holds up whoever wants the same one back, and nobody else. */
  readonly #removing = new Map<string, Promise<void>>()
  /** Topics of which a replica that is wanted back has gone by now: they are looked through again, changed or not. */
  #returning = new Set<Uuid>()
  #isClosing = false
  /** Roles that are being taken. */
  readonly #assuming = new Set<Promise<void>>()
  #isEnlisted = false
  #running: Promise<void> | undefined
  #waiters: { sequence: number; resolve: () => void }[] = []

  constructor(options: PartitionsOptions) {
    this.#options = options
  }

  /** The partition, if this broker leads it, or why it does not. */
  leader(topicId: Uuid, partition: number): Partition | ErrorCode {
    const open = this.#topics.get(topicId)?.get(partition)
    return open?.role.kind === 'leads' ? open : this.#absence(topicId, partition)
  }

  /** The partition, if this broker has a replica of it, whatever its role is. */
  replica(topicId: Uuid, partition: number): Partition | ErrorCode {
    return this.#topics.get(topicId)?.get(partition) ?? this.#absence(topicId, partition)
  }

  #absence(topicId: Uuid, partition: number): ErrorCode {
    // The newest image, as whoever asks by name has it: the topic of a partition that is not open yet is not unknown, and
    // clients wait for its leader, while they give up on an id that nobody knows.
    const topic = this.#wanted.topics.get(topicId)
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
    const known = topic.partitions[partition]
    if (known === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const isOurs = known.leader === this.#options.brokerId
    return isOurs && this.#offline.has(keyOf(topicId, partition)) ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  /** Why this broker cannot serve its replica; undefined: it can, as far as the disk goes. */
  brokenness(topicId: Uuid, partition: number): Brokenness | undefined {
    const offline = this.#offline.get(keyOf(topicId, partition))
    if (offline !== undefined) return offline.isFinal ? 'lost' : 'away'
    return this.#topics.get(topicId)?.get(partition)?.log.isStopped === true ? 'lost' : undefined
  }

  *[Symbol.iterator](): Generator<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions.values()
  }

  /** Replicas that this broker cannot serve, as `brokenness` has it. */
  get offlineCount(): number {
    let count = this.#offline.size
    for (const { log } of this) if (log.isStopped) count++
    return count
  }

  /**
   * Takes note of a new image: roles of partitions that are open change before this returns, and `settled` tells when all
   * of it is carried out.
   */
  follow(image: Image): void {
    const before = this.#wanted
    this.#wanted = image
    if (this.#isEnlisted) this.#assumeAll(image, before)
    if (image !== this.#image) this.#running ??= this.#run()
  }

  /**
   * This start of the broker is registered: from here on roles are its own. Those that the metadata had before were an
   * earlier start's, and are never resumed (R8).
   */
  enlist(): void {
    this.#isEnlisted = true
    this.#assumeAll(this.#wanted, emptyImage)
  }

  #assumeAll(image: Image, before: Image): void {
    for (const [topicId, partitions] of this.#topics) {
      const topic = image.topics.get(topicId)
      if (topic !== undefined && topic === before.topics.get(topicId)) continue
      for (const partition of partitions.values()) this.#assume(partition, topic?.partitions[partition.partition])
    }
  }

  #assume(partition: Partition, image: PartitionImage | undefined): void {
    if (image === undefined || !image.replicas.includes(this.#options.brokerId)) return partition.retire()
    const assumed = partition.assume(image).finally(() => this.#assuming.delete(assumed))
    this.#assuming.add(assumed)
  }

  /**
   * Resolves once this broker serves what the image at this position gives it, but for replicas whose last copy is still
   * being removed: how long that takes is up to a bucket, and they are led by others meanwhile.
   */
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
    // How long each of them takes is up to a bucket, and there may be many.
    if (this.#isClosing) return
    const topic = this.#image.topics.get(topicId)
    const partition = topic?.partitions[index]
    if (topic !== undefined && partition !== undefined && this.#isOurs(partition)) await this.#open(topic, partition, { isNew: false })
    else this.#offline.delete(keyOf(topicId, index))
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#running
    for (const partition of this) partition.retire()
    await Promise.all([...this].map((partition) => this.#options.close(partition)))
    this.#topics.clear()
    await Promise.all(this.#removing.values())
  }

  async #run(): Promise<void> {
    while (this.#image !== this.#wanted || this.#returning.size > 0) {
      const image = this.#wanted
      await this.#reconcile(image)
      await Promise.all(this.#assuming)
      this.#image = image
      this.#tellWaiters()
    }
    this.#running = undefined
    // Who came while partitions were opened again may have waited for no newer image.
    this.#tellWaiters()
  }

  #tellWaiters(): void {
    this.#waiters = this.#waiters.filter(({ sequence, resolve }) => {
      if (sequence <= this.#image.sequence) resolve()
      return sequence > this.#image.sequence
    })
  }

  async #reconcile(image: Image): Promise<void> {
    for (const partition of [...this]) if (!this.#isIn(image, partition)) this.#remove(partition)
    for (const [key, { topicId, partition }] of this.#offline) {
      if (!this.#isIn(image, { topicId, partition })) this.#offline.delete(key)
    }
    const returning = this.#returning
    this.#returning = new Set()
    const missing: (() => Promise<void>)[] = []
    for (const topic of image.topics.values()) {
      if (topic === this.#image.topics.get(topic.id) && !returning.has(topic.id)) continue
      for (const partition of topic.partitions) {
        const isNew = this.#isEnlisted && this.#image.topics.get(topic.id)?.partitions[partition.partition] === undefined
        if (this.#isOurs(partition) && !this.#isKnown(topic, partition)) missing.push(() => this.#open(topic, partition, { isNew }))
      }
    }
    await inParallel(missing, this.#options.openingMax)
  }

  /** Whether nothing is to be done for a partition: it is open, or is tried again by `reopen`, or once its last copy has gone. */
  #isKnown({ id: topicId }: TopicImage, { partition }: PartitionImage): boolean {
    const key = keyOf(topicId, partition)
    return this.#topics.get(topicId)?.has(partition) === true || this.#offline.has(key) || this.#removing.has(key)
  }

  #isOurs({ replicas }: PartitionImage): boolean {
    return replicas.includes(this.#options.brokerId)
  }

  #isIn(image: Image, { topicId, partition }: { readonly topicId: Uuid; readonly partition: number }): boolean {
    const known = image.topics.get(topicId)?.partitions[partition]
    return known !== undefined && this.#isOurs(known)
  }

  #remove(partition: Partition): void {
    const { topicId } = partition
    const key = keyOf(topicId, partition.partition)
    const partitions = this.#topics.get(topicId)
    partitions?.delete(partition.partition)
    if (partitions?.size === 0) this.#topics.delete(topicId)
    partition.retire()
    const removed = this.#options.remove(partition)
      .catch((cause: unknown) => this.#options.onLeftBehind(partition, cause))
      .finally(() => {
        this.#removing.delete(key)
        if (!this.#isClosing && this.#isIn(this.#wanted, partition)) this.#takeBack(topicId)
      })
    this.#removing.set(key, removed)
  }

  #takeBack(topicId: Uuid): void {
    this.#returning.add(topicId)
    this.#running ??= this.#run()
  }

  async #open(topic: TopicImage, partition: PartitionImage, known: { readonly isNew: boolean }): Promise<void> {
    const key = keyOf(topic.id, partition.partition)
    try {
      const open = await this.#options.open(topic, partition, known)
      let partitions = this.#topics.get(topic.id)
      if (partitions === undefined) this.#topics.set(topic.id, (partitions = new Map()))
      partitions.set(partition.partition, open)
      this.#offline.delete(key)
      // The newest: what was to be opened may have changed hands meanwhile.
      const newest = this.#wanted.topics.get(topic.id)?.partitions[partition.partition]
      if (this.#isEnlisted) this.#assume(open, newest)
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
