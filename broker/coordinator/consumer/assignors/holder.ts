import type { Uuid } from '../../../runtime/random.ts'
import type { Assignment } from '../assignment.ts'
import type { AssignorMember } from './assignor.ts'

/** A member while partitions are being handed out. */
export class Holder {
  readonly memberId: string
  readonly topicIds: ReadonlySet<Uuid>
  readonly #partitions = new Map<Uuid, number[]>()
  #count = 0

  constructor({ memberId, topicIds }: AssignorMember) {
    this.memberId = memberId
    this.topicIds = new Set(topicIds)
  }

  get count(): number {
    return this.#count
  }

  mayHold(topicId: Uuid): boolean {
    return this.topicIds.has(topicId)
  }

  take(topicId: Uuid, partition: number): void {
    const partitions = this.#partitions.get(topicId)
    if (partitions === undefined) this.#partitions.set(topicId, [partition])
    else partitions.push(partition)
    this.#count += 1
  }

  /** Topics of which it has something to give. */
  heldTopics(): Iterable<Uuid> {
    return this.#partitions.keys()
  }

  countOf(topicId: Uuid): number {
    return this.#partitions.get(topicId)?.length ?? 0
  }

  /** Gives up the partition that it got last, which is the one that it has held for the shortest time. */
  give(topicId: Uuid): number {
    const partitions = this.#partitions.get(topicId)!
    const partition = partitions.pop()!
    if (partitions.length === 0) this.#partitions.delete(topicId)
    this.#count -= 1
    return partition
  }

  assignment(): Assignment {
    return new Map([...this.#partitions].map(([topicId, partitions]) => [topicId, [...partitions].sort((one, other) => one - other)]))
  }
}
