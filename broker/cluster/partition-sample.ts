// Partitions of an image, a few at first, which are spread evenly over it, and more of them as long as somebody asks; in the end
// all, each once. Whoever looks for one that will do, among tens of thousands, rarely has to look at more than the first few.

import type { Image, PartitionImage, TopicImage } from './image.ts'

export interface Placed {
  readonly topic: TopicImage
  readonly partition: PartitionImage
}

/** Partitions that are added at a time, about. */
const partOf = 1_024

export class PartitionSample {
  readonly #topics: readonly TopicImage[]
  readonly #isWanted: (partition: PartitionImage) => boolean
  readonly #byBroker = new Map<number, Placed[]>()
  /** Each part has every so manieth partition, and begins one behind the part before. */
  readonly #step: number
  #parts = 0

  constructor(image: Image, isWanted: (partition: PartitionImage) => boolean) {
    this.#topics = [...image.topics.values()]
    this.#isWanted = isWanted
    this.#step = Math.ceil(this.#topics.reduce((sum, { partitions }) => sum + partitions.length, 0) / partOf)
  }

  /** Those that a broker has; more come behind them. */
  of(brokerId: number): readonly Placed[] {
    return this.#byBroker.get(brokerId) ?? []
  }

  /** False: there are no more. */
  grow(): boolean {
    if (this.#parts === this.#step) return false
    let index = this.#parts++
    for (const topic of this.#topics) {
      for (; index < topic.partitions.length; index += this.#step) this.#add(topic, topic.partitions[index]!)
      index -= topic.partitions.length
    }
    return true
  }

  #add(topic: TopicImage, partition: PartitionImage): void {
    if (!this.#isWanted(partition)) return
    const placed = { topic, partition }
    for (const id of partition.replicas) {
      const ofBroker = this.#byBroker.get(id)
      if (ofBroker === undefined) this.#byBroker.set(id, [placed])
      else ofBroker.push(placed)
    }
  }
}
