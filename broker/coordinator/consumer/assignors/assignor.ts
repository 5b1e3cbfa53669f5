import type { Uuid } from '../../../runtime/random.ts'
import type { Assignment } from '../assignment.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  /** Existing topics only. */
  readonly topicIds: readonly Uuid[]
  /** Its target so far; may hold what is gone, or what it does not subscribe to any more. */
  readonly current: Assignment
}

export interface AssignorInput {
  readonly members: readonly AssignorMember[]
  /** Partitions of each topic that anybody subscribes to. */
  readonly partitionCounts: ReadonlyMap<Uuid, number>
}

/** Finds who is to own what. Pure; every partition of a topic with subscribers gets exactly one owner, who subscribes to it. */
export interface Assignor {
  readonly name: string
  assign(input: AssignorInput): ReadonlyMap<string, Assignment>
}
