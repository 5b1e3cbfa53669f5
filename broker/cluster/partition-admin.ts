import { ErrorCode } from '../protocol/error-code.ts'
import { planElection, type WantedElection } from './election.ts'
import type { Image } from './image.ts'
import type { RulesOf } from './leadership.ts'
import type { MetadataLog } from './metadata-log.ts'
import type { PartitionChanged } from './metadata-record.ts'
import { planReassignment, type WantedReassignment } from './reassignment.ts'
import { refusal, type Refusal } from './topic-changes.ts'

export interface PartitionAdminOptions {
  readonly metadata: Pick<MetadataLog, 'refresh' | 'change'>
  readonly rulesOf: RulesOf
  /** Of one append; what is asked beyond that is done in the next. */
  readonly partitionsPerChangeMax: number
}

interface Wanted {
  readonly topic: string
  readonly partition: number
}

/** One for each partition, in order; undefined: done. */
type Outcomes = (Refusal | undefined)[]

/** Carries out what operators want of single partitions. */
export class PartitionAdmin {
  readonly #options: PartitionAdminOptions

  constructor(options: PartitionAdminOptions) {
    this.#options = options
  }

  /** Throws `TableError`. */
  reassign(wanted: readonly WantedReassignment[], rules: { readonly mayChangeFactor: boolean }): Promise<Outcomes> {
    const { rulesOf } = this.#options
    return this.#change(wanted, (image, one) => planReassignment(image, one, { ...rules, rulesOf }))
  }

  /** Throws `TableError`. */
  elect(wanted: readonly WantedElection[]): Promise<Outcomes> {
    return this.#change(wanted, (image, one) => planElection(image, one, this.#options.rulesOf))
  }

  async #change<W extends Wanted>(
    wanted: readonly W[], plan: (image: Image, one: W) => PartitionChanged | Refusal | undefined,
  ): Promise<Outcomes> {
    const { metadata, partitionsPerChangeMax } = this.#options
    const outcomes: Outcomes = []
    // Nobody is to be refused for what another broker knows already, such as a topic or a broker that is new.
    await metadata.refresh()
    for (let start = 0; start < wanted.length; start += partitionsPerChangeMax) {
      const some = wanted.slice(start, start + partitionsPerChangeMax)
      outcomes.push(...await metadata.change((image) => {
        const plans = planEach(some, (one) => plan(image, one))
        return { records: plans.filter(isRecord), answer: plans.map((made) => (isRecord(made) ? undefined : made)) }
      }))
    }
    return outcomes
  }
}

/** Two changes of one partition cannot both follow from one image. */
function planEach<W extends Wanted, P>(wanted: readonly W[], plan: (one: W) => P): (P | Refusal)[] {
  const seen = new Set<string>()
  return wanted.map((one) => {
    const name = `${one.topic}-${one.partition}`
    if (seen.has(name)) return refusal(ErrorCode.INVALID_REQUEST, `Partition ${name} is named more than once.`)
    seen.add(name)
    return plan(one)
  })
}

function isRecord(plan: PartitionChanged | Refusal | undefined): plan is PartitionChanged {
  return plan !== undefined && 'type' in plan
}
