// What a leader knows in one term, and what follows from it: how far the partition is committed, and who is in sync. Pure,
// so that a model can go through every order of events (model/): nothing here waits, counts time or touches a disk.
//
//   high watermark = the smallest durable end among all that are in sync or proposed to be, and never less than before
//
// A proposal to change who is in sync is decided by the metadata log. Until its outcome is known the larger set counts:
// the old one, for the change may not have happened, and the new one, for it may have (KIP-497, KAFKA-12686).

import { inSyncFloor, type PartitionImage } from '../cluster/image.ts'
import { allRules, type Rules } from '../runtime/rules.ts'

export interface FollowerView {
  readonly brokerId: number
  /** Of the incarnation that fetched; its disk had what it said it had. */
  readonly brokerEpoch: number
  /** It holds everything below durably. */
  readonly endOffset: number
  /** Monotonic milliseconds at which it last had all that the leader had. */
  readonly caughtUpAt: number
  /** The last fetch: when it came, and where the leader's log ended then. */
  readonly fetchedAt: number
  readonly leaderEndOffset: number
}

export interface Member {
  readonly brokerId: number
  /** Of the incarnation that is meant; -1 for one that is in sync already, and is not asked again. */
  readonly brokerEpoch: number
}

export interface Proposal {
  readonly isr: readonly Member[]
  /** An attempt has ended without an answer, so it may yet be carried out. */
  readonly isUnknown: boolean
}

export interface LeaderState {
  readonly brokerId: number
  readonly leaderEpoch: number
  /** Where the log ended as the term began: whoever has less may lack what was committed before. */
  readonly epochStartOffset: number
  /** As the metadata log has them. */
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
  readonly adding?: readonly number[] | undefined
  readonly isr: readonly number[]
  readonly proposal: Proposal | undefined
  /** Of those that have fetched in this term. */
  readonly followers: readonly FollowerView[]
  readonly highWatermark: number
  /** Monotonic. */
  readonly beganAt: number
}

export interface TermStart {
  readonly brokerId: number
  readonly partition: Adopted & { readonly leaderEpoch: number }
  readonly endOffset: number
  readonly highWatermark: number
  readonly now: number
}

/** What the metadata log says of a partition. */
export type Adopted = Pick<PartitionImage, 'partitionEpoch' | 'replicas' | 'adding' | 'isr'>

/** A term begins with nothing known of any follower (R9). */
export function beginTerm({ brokerId, partition, endOffset, highWatermark, now }: TermStart): LeaderState {
  const { leaderEpoch, partitionEpoch, replicas, adding, isr } = partition
  return {
    brokerId, leaderEpoch, partitionEpoch, replicas, adding, isr, epochStartOffset: endOffset, proposal: undefined, followers: [],
    highWatermark: Math.min(highWatermark, endOffset), beganAt: now,
  }
}

export interface ObservedFetch {
  readonly brokerId: number
  readonly brokerEpoch: number
  /** The follower holds everything below durably, in this leader's lineage. */
  readonly fetchOffset: number
  /** Of the leader's log, durable. */
  readonly endOffset: number
  readonly now: number
}

/**
 * A follower has fetched in this epoch, and its log agrees with ours below its offset. A fetch that was held while the follower
 * started again says nothing of what that start has.
 */
export function observeFetch(state: LeaderState, { brokerId, brokerEpoch, fetchOffset, endOffset, now }: ObservedFetch): LeaderState {
  const before = viewOf(state, brokerId)
  if (before !== undefined && brokerEpoch < before.brokerEpoch) return state
  const known = before?.brokerEpoch === brokerEpoch ? before : undefined
  let caughtUpAt = known?.caughtUpAt ?? state.beganAt
  if (fetchOffset >= endOffset) caughtUpAt = now
  // It has by now what there was at its last fetch: so far it was in step then.
  else if (known !== undefined && fetchOffset >= known.leaderEndOffset) caughtUpAt = Math.max(caughtUpAt, known.fetchedAt)
  const view = { brokerId, brokerEpoch, endOffset: fetchOffset, caughtUpAt, fetchedAt: now, leaderEndOffset: endOffset }
  return { ...state, followers: [...state.followers.filter((one) => one.brokerId !== brokerId), view] }
}

export interface CommitRules {
  /** Of the leader's log, durable. */
  readonly endOffset: number
  readonly minIsr: number
  readonly rules?: Rules
}

/** How far the partition is committed (R4). */
export function highWatermarkOf(state: LeaderState, { endOffset, minIsr, rules = allRules }: CommitRules): number {
  const floor = rules.isRemoved('the in-sync replicas are never too few') ? 1 : inSyncFloor(state, minIsr)
  if (state.isr.length < floor) return state.highWatermark
  let highWatermark = endOffset
  for (const brokerId of waitedFor(state, rules)) {
    if (brokerId === state.brokerId) continue
    highWatermark = Math.min(highWatermark, viewOf(state, brokerId)?.endOffset ?? 0)
  }
  return Math.max(highWatermark, state.highWatermark)
}

/** Those that may be elected as far as this leader can know. */
function waitedFor(state: LeaderState, rules: Rules): readonly number[] {
  if (state.proposal === undefined) return state.isr
  const proposed = state.proposal.isr.map(({ brokerId }) => brokerId)
  if (rules.isRemoved('a shrink counts once it is confirmed') && proposed.length < state.isr.length) return proposed
  if (rules.isRemoved('a proposed member is waited for')) return state.isr
  return [...state.isr, ...proposed.filter((brokerId) => !state.isr.includes(brokerId))]
}

export interface SyncRules extends CommitRules {
  readonly now: number
  /** A follower that was not in step for so long is out of sync, in milliseconds. */
  readonly lagMsMax: number
  /** Whether a broker serves, as far as the metadata says: a proposal is waited for, and one that is gone cannot be. */
  readonly isAlive?: (brokerId: number) => boolean
}

/**
 * Who should be in sync, where that differs from who is; undefined otherwise, and while a proposal is under way (R5). One
 * whose outcome was lost is made again first, and where it was refused since, the state as it is: either settles it.
 */
export function planSync(state: LeaderState, rules: SyncRules): Proposal | undefined {
  if (state.proposal !== undefined) return state.proposal.isUnknown ? state.proposal : undefined
  const leaving = state.isr.filter((brokerId) => brokerId !== state.brokerId && isOutOfStep(state, brokerId, rules))
  const joining = state.followers.filter((view) => mayJoin(state, view, rules))
  const room = rules.rules?.isRemoved('the in-sync replicas are never too few')
    ? leaving.length
    : Math.max(state.isr.length + joining.length - inSyncFloor(state, rules.minIsr), 0)
  const left = leaving.slice(0, room)
  if (left.length === 0 && joining.length === 0) return undefined
  const staying = state.isr.filter((brokerId) => !left.includes(brokerId)).map((brokerId) => ({ brokerId, brokerEpoch: -1 }))
  return { isr: [...staying, ...joining.map(({ brokerId, brokerEpoch }) => ({ brokerId, brokerEpoch }))], isUnknown: false }
}

/** So few have been heard of lately that nothing can be committed, and being left out would not help: they cannot reach us. */
export function isCutOff(
  state: LeaderState, { now, minIsr, silenceMsMax }: { readonly now: number; readonly minIsr: number; readonly silenceMsMax: number },
): boolean {
  const isHeard = (brokerId: number) => now - (viewOf(state, brokerId)?.fetchedAt ?? state.beganAt) <= silenceMsMax
  const heard = state.isr.filter((brokerId) => brokerId === state.brokerId || isHeard(brokerId))
  return heard.length < Math.min(inSyncFloor(state, minIsr), state.isr.length)
}

function isOutOfStep(state: LeaderState, brokerId: number, { now, lagMsMax }: SyncRules): boolean {
  return now - (viewOf(state, brokerId)?.caughtUpAt ?? state.beganAt) > lagMsMax
}

/** It has all that is committed, from this term and from those before (R6), and would not be out of step at once. */
function mayJoin(state: LeaderState, view: FollowerView, of: SyncRules): boolean {
  const { endOffset, minIsr, rules = allRules, isAlive = () => true } = of
  if (state.isr.includes(view.brokerId) || !state.replicas.includes(view.brokerId)) return false
  if (isOutOfStep(state, view.brokerId, of) || !isAlive(view.brokerId)) return false
  // Where too few are in sync nothing is committed: one that joins a little behind would leave again (KAFKA-19996).
  if (state.isr.length < inSyncFloor(state, minIsr)) return view.endOffset >= endOffset
  if (rules.isRemoved('a member has all of earlier epochs')) return view.endOffset >= state.highWatermark
  return view.endOffset >= Math.max(state.highWatermark, state.epochStartOffset)
}

export function propose(state: LeaderState, proposal: Proposal): LeaderState {
  return { ...state, proposal: { ...proposal, isUnknown: false } }
}

/** Nobody knows whether the proposal was carried out, or will be. */
export function loseProposal(state: LeaderState): LeaderState {
  return state.proposal === undefined ? state : { ...state, proposal: { ...state.proposal, isUnknown: true } }
}

/**
 * The proposal was refused. One of which an earlier attempt may still be carried out is followed by the state as it is:
 * that takes its place in the metadata log, where nothing late can land any more.
 */
export function refuseProposal(state: LeaderState, { wasUnknown }: { readonly wasUnknown: boolean }): LeaderState {
  if (!wasUnknown || state.proposal === undefined) return { ...state, proposal: undefined }
  return { ...state, proposal: { isr: state.isr.map((brokerId) => ({ brokerId, brokerEpoch: -1 })), isUnknown: true } }
}

/**
 * The metadata log has a newer state of the partition, in the same term. Of who has left the in-sync replicas nothing is known
 * any more: it may have left because it lost what it had, and joins again when it says anew what it has.
 */
export function adopt(state: LeaderState, partition: Adopted): LeaderState {
  const { partitionEpoch, replicas, adding, isr } = partition
  if (partitionEpoch <= state.partitionEpoch) return state
  const hasLeft = (brokerId: number) => state.isr.includes(brokerId) && !isr.includes(brokerId)
  const followers = state.followers.filter(({ brokerId }) => replicas.includes(brokerId) && !hasLeft(brokerId))
  return { ...state, partitionEpoch, replicas, adding, isr, followers, proposal: undefined }
}

function viewOf(state: LeaderState, brokerId: number): FollowerView | undefined {
  return state.followers.find((one) => one.brokerId === brokerId)
}
