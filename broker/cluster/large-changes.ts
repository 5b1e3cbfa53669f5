// What concerns all partitions of a broker can be more than a commit of the table takes, so it is appended to the metadata log a
// part at a time. Each part is decided on the newest image; others come between two of them, and whoever does it may stop
// in the middle. So each part leaves the cluster in a state that is safe by itself:
//
//   fence      the broker is fenced with the first part: what it leads still counts as led by nobody, and is taken by elections
//   unfence    what nobody leads is left to elections, too
//   register   comes last: a broker that has lost its disk cannot be elected before it has left all in-sync replicas (R8)

import type { BrokerImage, Image } from './image.ts'
import { planFence, planLeave, planRegistration, planRetreat, type Registration, type RulesOf } from './leadership.ts'
import type { Condition, Decision, MetadataLog } from './metadata-log.ts'
import type { MetadataRecord } from './metadata-record.ts'

type Changing = Pick<MetadataLog, 'change'>
type Fencing = Pick<MetadataLog, 'change' | 'changeWhile'>

/** Decides again on each image, and finds nothing to be done where all of it is. */
type Plan = (image: Image) => readonly MetadataRecord[]

export interface PartLimits {
  /** Records of one append; what is beyond that is done in the next. */
  readonly recordsMax: number
}

interface Part {
  readonly appended: number
  readonly isLast: boolean
}

/** Only the first part of a plan. Throws `TableError`. */
export function changePart(metadata: Changing, plan: Plan, limits: PartLimits): Promise<Part> {
  return metadata.change((image) => firstPart(plan(image), limits))
}

function firstPart(planned: readonly MetadataRecord[], { recordsMax }: PartLimits): Decision<Part> {
  const records = planned.slice(0, recordsMax)
  return { records, answer: { appended: records.length, isLast: records.length === planned.length } }
}

/** Resolves to how many records that took. Throws `TableError`; what was appended until then stays. */
export async function changeInParts(metadata: Changing, plan: Plan, limits: PartLimits): Promise<number> {
  for (let total = 0; ;) {
    const { appended, isLast } = await changePart(metadata, plan, limits)
    total += appended
    if (isLast) return total
  }
}

export interface FenceOptions extends PartLimits {
  readonly rulesOf: RulesOf
  /** What it was judged by; where that has changed, it is not taken out. */
  readonly judgedBy?: Condition | undefined
  onFenced?(): void
}

/**
 * Takes a broker out. `onFenced`: it was, by this. Throws `TableError`; where that is in the middle, elections give the rest to
 * others, and their leaders leave the broker behind as they do with any that is silent.
 */
export async function fenceInParts(
  metadata: Fencing, broker: Pick<BrokerImage, 'brokerId' | 'brokerEpoch'>, options: FenceOptions,
): Promise<void> {
  const { rulesOf, judgedBy, onFenced } = options
  const { brokerId, brokerEpoch } = broker
  const decide = (image: Image) => firstPart(planFence(image, broker, rulesOf), options)
  const first = judgedBy === undefined ? await metadata.change(decide) : await metadata.changeWhile(judgedBy, decide)
  if (first === undefined) return
  const { appended, isLast } = first
  if (appended > 0) onFenced?.()
  if (isLast) return
  await changeInParts(metadata, (image) => {
    const known = image.brokers.get(brokerId)
    // One that serves again keeps what it still has.
    return known?.isFenced && known.brokerEpoch === brokerEpoch ? planLeave(image, brokerId, rulesOf) : []
  }, options)
}

/**
 * Registers a start of a broker, in one append where that is enough. Throws `TableError`; a start that comes after one that
 * ended in the middle goes on where that was.
 */
export async function registerInParts(
  metadata: Changing, registration: Registration, { rulesOf, recordsMax }: PartLimits & { readonly rulesOf: RulesOf },
): Promise<void> {
  for (let isRegistered = false; !isRegistered;) {
    isRegistered = await metadata.change((image) => {
      const registering = planRegistration(image, registration, rulesOf)
      const retreat = registering.length <= recordsMax ? [] : planRetreat(image, registration, rulesOf)
      if (retreat.length > 0) return { records: retreat.slice(0, recordsMax), answer: false }
      // All that is left beside the registration itself are elections, of what nobody leads.
      return { records: registering.slice(0, recordsMax), answer: true }
    })
  }
}
