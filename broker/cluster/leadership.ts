// Who leads and who is in sync, decided on an image of the cluster. Pure: whoever appends first has decided, and whoever
// loses the race decides again. Each change of a partition counts up its partition epoch, each change of leader, and
// each new incarnation of one, its leader epoch too (rule R1 in docs/invariants.md).
//
// The in-sync replicas never become fewer than `min.insync.replicas` because a broker is away (R7): the high watermark
// could not pass there anyway, and a member that is left out could not be elected. A broker that lost what it had is left
// out whatever that means (R8).

import type { BrokerImage, Image, PartitionImage, TopicImage } from './image.ts'
import { inSyncFloor, isAlive, settledReplicas } from './image.ts'
import type { BrokerRegistered, MetadataRecord, PartitionChanged } from './metadata-record.ts'
import { allRules, type Rule, type Rules } from '../runtime/rules.ts'

export interface TopicRules {
  readonly minIsr: number
  /** Whether a replica that may lack committed records is better than no leader. */
  readonly isUncleanElectionAllowed: boolean
  /** All of them, but in tests. */
  readonly kept?: Rules | undefined
}

export type RulesOf = (topicName: string) => TopicRules

type Change = Partial<Pick<PartitionImage, 'leader' | 'isr'>>

/** The session of a broker is over, or it cannot be reached: others lead what it led. Nothing where it is fenced already. */
export function planFence(image: Image, broker: Pick<BrokerImage, 'brokerId' | 'brokerEpoch'>, rulesOf: RulesOf): MetadataRecord[] {
  const { brokerId, brokerEpoch } = broker
  const known = image.brokers.get(brokerId)
  if (known?.brokerEpoch !== brokerEpoch || known.isFenced) return []
  return [{ type: 'brokerFenced', brokerId, brokerEpoch }, ...planLeave(image, brokerId, rulesOf)]
}

/** A broker that stops in order hands over what it leads, to whoever is in sync and serves. */
export function planLeave(image: Image, brokerId: number, rulesOf: RulesOf): PartitionChanged[] {
  return planEach(image, (partition, topic) => {
    const rules = rulesOf(topic.name)
    const others = partition.isr.filter((id) => id !== brokerId)
    const floor = isKept(rules, 'the in-sync replicas are never too few') ? inSyncFloor(partition, rules.minIsr) : 1
    const canLeave = others.length >= floor
    const isr = canLeave ? others : partition.isr
    if (partition.leader !== brokerId) return { isr }
    return elected({ ...partition, isr }, { rules, canLead: (id) => id !== brokerId && isAlive(image, id) })
  })
}

/** A fenced broker serves again: it leads what nobody leads, where it is in sync. */
export function planUnfence(image: Image, broker: Pick<BrokerImage, 'brokerId' | 'brokerEpoch'>, rulesOf: RulesOf): MetadataRecord[] {
  const { brokerId, brokerEpoch } = broker
  const known = image.brokers.get(brokerId)
  if (known?.brokerEpoch !== brokerEpoch || !known.isFenced) return []
  return [{ type: 'brokerUnfenced', brokerId, brokerEpoch }, ...planElections(image, [brokerId], rulesOf)]
}

export interface Registration extends Omit<BrokerRegistered, 'type'> {
  /**
   * Whether all that this disk ever acknowledged of a partition is still on it: not after a loss of power that nothing was
   * synced for, nor where its files cannot be read.
   */
  isIntact(topicId: string, partition: number): boolean
}

/**
 * A broker starts: a new incarnation, which resumes no epoch (R8). What it led goes to another replica that is in sync and
 * serves, or to itself in a new epoch; where its disk is another one, or has lost its end, it is in sync with nothing. The
 * only replica of a partition leads whatever it has, for nobody has more.
 */
export function planRegistration(image: Image, registration: Registration, rulesOf: RulesOf): MetadataRecord[] {
  const { isIntact: _, ...registered } = registration
  return [{ type: 'brokerRegistered', ...registered }, ...planStart(image, registration, { rulesOf, mayLead: true })]
}

/**
 * What has to be done before a broker registers, where all of that is too much for one append: it leads nothing any more, and is
 * in sync with nothing that it has lost. It is fenced until it has registered, so that nobody elects it meanwhile. Nothing
 * where all of it is done.
 */
export function planRetreat(image: Image, registration: Registration, rulesOf: RulesOf): MetadataRecord[] {
  const before = image.brokers.get(registration.brokerId)
  const changes = planStart(image, registration, { rulesOf, mayLead: false })
  if (changes.length === 0 || before === undefined || before.isFenced) return changes
  const { brokerId, brokerEpoch } = before
  return [{ type: 'brokerFenced', brokerId, brokerEpoch }, ...changes]
}

/** `mayLead`: the broker itself is elected where nobody else can be. */
function planStart(
  image: Image, { isIntact, brokerId, diskId }: Registration, by: { readonly rulesOf: RulesOf; readonly mayLead: boolean },
): PartitionChanged[] {
  const { rulesOf, mayLead } = by
  const before = image.brokers.get(brokerId)
  const isOtherDisk = before !== undefined && before.diskId !== diskId
  const isOther = (id: number) => id !== brokerId && isAlive(image, id)
  return planEach(image, (partition, topic) => {
    const rules = rulesOf(topic.name)
    if (partition.leader === brokerId && !isKept(rules, 'a restart takes a new epoch')) return {}
    const isWhole = !isOtherDisk && (before === undefined || isIntact(topic.id, partition.partition))
    const hasLost = !isWhole && isKept(rules, 'a loss leaves the in-sync replicas')
    const isOnly = settledReplicas(partition).length === 1 && partition.isr.every((id) => id === brokerId)
    const isr = hasLost && !isOnly ? partition.isr.filter((id) => id !== brokerId) : partition.isr
    if (partition.leader !== brokerId && (partition.leader >= 0 || !isr.includes(brokerId))) return { isr }
    const others = elected({ ...partition, isr }, { rules: { ...rules, isUncleanElectionAllowed: false }, canLead: isOther })
    if (others.leader !== noLeader || !mayLead) return others
    return elected({ ...partition, isr }, { rules, canLead: (id) => id === brokerId || isOther(id) })
  })
}

/**
 * Why a broker cannot serve a replica. `lost`: its disk failed, or contradicts itself, and what was committed may not be there any
 * more. `away`: it could not be opened so far, for want of room or of an answer, and has what it had.
 */
export type Brokenness = 'lost' | 'away'

export interface Offline {
  readonly brokenness: (topicId: string, partition: number) => Brokenness | undefined
  readonly rulesOf: RulesOf
}

/**
 * A broker cannot serve some of its replicas. With what is lost it leaves the in-sync replicas, whatever that means (R8); the last one
 * stays, as nobody has more. With what is away it is as if the broker were: it stays where they would be too few (R7), and leads
 * where nobody else can.
 */
export function planOffline(image: Image, brokerId: number, { brokenness, rulesOf }: Offline): PartitionChanged[] {
  return planEach(image, (partition, topic) => {
    const broken = partition.replicas.includes(brokerId) ? brokenness(topic.id, partition.partition) : undefined
    if (broken === undefined) return {}
    const rules = rulesOf(topic.name)
    const others = partition.isr.filter((id) => id !== brokerId)
    const isr = others.length >= (broken === 'lost' ? 1 : inSyncFloor(partition, rules.minIsr)) ? others : partition.isr
    if (partition.leader !== brokerId || (broken === 'lost' && isr === partition.isr)) return { isr }
    const next = elected({ ...partition, isr }, { rules, canLead: (id) => id !== brokerId && isAlive(image, id) })
    return broken === 'away' && next.leader === noLeader ? {} : next
  })
}

export interface HandingOver {
  readonly isCutOff: (topicId: string, partition: PartitionImage) => boolean
  /** Whether a broker lives, though it does not reach this one; those that do not may be dead, and not be taken for it yet. */
  readonly isHeard: (brokerId: number) => boolean
  readonly rulesOf: RulesOf
}

/**
 * A leader that its followers do not reach hands over to one of them that lives: nothing can be committed with it, though
 * its session holds. It leaves the in-sync replicas where enough stay that live; else it would be waited for. Where none
 * is heard, it is this broker that lives, and they that are gone.
 */
export function planHandOver(image: Image, brokerId: number, { isCutOff, isHeard, rulesOf }: HandingOver): PartitionChanged[] {
  return planEach(image, (partition, topic) => {
    if (partition.leader !== brokerId || !isCutOff(topic.id, partition)) return {}
    const rules = { ...rulesOf(topic.name), isUncleanElectionAllowed: false }
    const others = partition.isr.filter((id) => id !== brokerId)
    const mayLead = (id: number) => id !== brokerId && isAlive(image, id) && isHeard(id)
    const isr = others.filter(mayLead).length >= inSyncFloor(partition, rules.minIsr) ? others : partition.isr
    const next = elected({ ...partition, isr }, { rules, canLead: mayLead })
    return next.leader === noLeader ? {} : next
  })
}

/**
 * Elects where nobody leads that serves: a broker with much to hand over is fenced before it has handed over all of it.
 * `returning`: brokers that are about to serve, and do not yet in this image.
 */
export function planElections(image: Image, returning: readonly number[], rulesOf: RulesOf): PartitionChanged[] {
  const canLead = (id: number) => returning.includes(id) || isAlive(image, id)
  return planEach(image, (partition, topic) => {
    return canLead(partition.leader) ? {} : elected(partition, { rules: rulesOf(topic.name), canLead })
  })
}

/** Gives partitions back to the first of their replicas, so that leaders are as even as they were placed. */
export function planPreferred(image: Image): PartitionChanged[] {
  return planEach(image, ({ leader, replicas, isr }) => {
    const preferred = replicas[0]!
    return leader !== noLeader && isr.includes(preferred) && isAlive(image, preferred) ? { leader: preferred } : {}
  })
}

/** What a leader asks for: the in-sync replicas that it has seen, with the incarnation in which it saw each. */
export interface WantedIsr {
  readonly topicId: string
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
  /** The state that the leader decided on; any change since then makes it decide again. */
  readonly partitionEpoch: number
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
}

export type IsrRefusal = 'unknown' | 'fenced' | 'stale' | 'ineligible'

/**
 * The record for a change of the in-sync replicas (AlterPartition, KIP-497, KIP-903). `fenced`: somebody else leads;
 * `stale`: the partition has changed meanwhile; `ineligible`: a replica that would be added is fenced, or started again.
 */
export function planIsr(image: Image, wanted: WantedIsr, rules = allRules): PartitionChanged | IsrRefusal {
  const { topicId, partition: index } = wanted
  const partition = image.topics.get(topicId)?.partitions[index]
  if (partition === undefined) return 'unknown'
  if (partition.leader !== wanted.leader || partition.leaderEpoch !== wanted.leaderEpoch) return 'fenced'
  const isBelieved = rules.isRemoved('a change is of the newest partition epoch')
  if (partition.partitionEpoch !== wanted.partitionEpoch && !isBelieved) return 'stale'
  for (const { brokerId, brokerEpoch } of wanted.isr) {
    const broker = image.brokers.get(brokerId)
    if (!partition.replicas.includes(brokerId)) return 'ineligible'
    if (partition.isr.includes(brokerId) || (isBelieved && brokerEpoch === -1)) continue
    if (broker === undefined || broker.isFenced) return 'ineligible'
    if (broker.brokerEpoch !== brokerEpoch && !rules.isRemoved('a member is of the incarnation that fetched')) return 'ineligible'
  }
  const isr = wanted.isr.map(({ brokerId }) => brokerId)
  if (!isr.includes(wanted.leader)) return 'ineligible'
  return changed(topicId, partition, { isr })
}

export const noLeader = -1

function isKept({ kept = allRules }: TopicRules, rule: Rule): boolean {
  return !kept.isRemoved(rule)
}

/** The leader that the in-sync replicas give, in a new epoch; where they give none, whoever the topic's rules allow. */
export function elected(
  partition: PartitionImage, by: { readonly rules: TopicRules; readonly canLead: (brokerId: number) => boolean },
): Required<Change> & { readonly isNewTerm: true } {
  const { isr, replicas } = partition
  const mayLead = (id: number) => isr.includes(id) || !isKept(by.rules, 'leaders come from the in-sync replicas')
  const leader = replicas.find((id) => mayLead(id) && by.canLead(id))
  if (leader !== undefined) return { leader, isr, isNewTerm: true }
  // One that is being added may have nothing yet.
  const candidates = by.rules.isUncleanElectionAllowed ? [...settledReplicas(partition), ...(partition.adding ?? [])] : []
  const unclean = candidates.find((id) => by.canLead(id))
  return unclean === undefined ? { leader: noLeader, isr, isNewTerm: true } : { leader: unclean, isr: [unclean], isNewTerm: true }
}

/** `isNewTerm`: the leader begins anew even if it is the same one. */
type Decide = (partition: PartitionImage, topic: TopicImage) => Change & { readonly isNewTerm?: true }

function planEach(image: Image, decide: Decide): PartitionChanged[] {
  const records: PartitionChanged[] = []
  for (const topic of image.topics.values()) {
    for (const partition of topic.partitions) {
      const change = decide(partition, topic)
      const { leader = partition.leader, isr = partition.isr } = change
      const isSame = leader === partition.leader && isr.length === partition.isr.length
      if (isSame && (change.isNewTerm === undefined || leader === noLeader)) continue
      records.push(changed(topic.id, partition, change))
    }
  }
  return records
}

/** The record of a change, with the epochs that it takes. */
export function changed(topicId: string, partition: PartitionImage, change: Change & { readonly isNewTerm?: true }): PartitionChanged {
  const { leader = partition.leader, isr = partition.isr, isNewTerm } = change
  const leaderEpoch = leader !== partition.leader || isNewTerm ? partition.leaderEpoch + 1 : partition.leaderEpoch
  return { type: 'partitionChanged', topicId, ...partition, leader, leaderEpoch, isr, partitionEpoch: partition.partitionEpoch + 1 }
}
