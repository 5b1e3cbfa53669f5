import type { LeaderState } from '../broker/replication/leader-state.ts'
import { keyOf as imageKeyOf } from './metadata.ts'
import type { Asking, Broker, Message, World } from './world.ts'

/**
 * All of a world that can make a difference to what happens later, in few characters: worlds with the same key are one
 * state. Images that every broker has seen are left out, and so are copies of what the images say.
 */
export function keyOf(world: World): string {
  const oldest = Math.min(...world.brokers.map(({ position }) => position))
  const codes: number[] = [world.images.length, oldest]
  for (const broker of world.brokers) pushBroker(codes, broker)
  codes.push(world.messages.length)
  for (const message of [...world.messages].sort(byOrigin)) pushMessage(codes, message)
  codes.push(world.shown.length)
  for (const { entry, epoch } of world.shown) codes.push(entry, epoch)
  for (let epoch = 0; epoch < world.showedBy.length; epoch++) codes.push((world.showedBy[epoch] ?? -1) + 1)
  const { values, restarts, losses, lateRequests, lateAnswers, unheard, held, moves } = world.spent
  codes.push(values, restarts, losses, lateRequests, lateAnswers, unheard, held, moves)
  let key = String.fromCharCode(...codes)
  for (let position = oldest; position < world.images.length; position++) key += imageKeyOf(world.images[position]!)
  const { unlanded } = world
  // What can land no more is nothing.
  return unlanded?.position === world.images.length ? key + JSON.stringify(unlanded.records) : key
}

function pushBroker(codes: number[], { position, brokerEpoch, log, starts, knownHighWatermark, term, asking }: Broker): void {
  codes.push(position, brokerEpoch, log.length, ...log, starts.length)
  for (const { epoch, startOffset } of starts) codes.push(epoch, startOffset)
  codes.push(knownHighWatermark, term === undefined ? 0 : 1)
  if (term !== undefined) pushTerm(codes, term)
  codes.push(asking === undefined ? 0 : 1)
  if (asking !== undefined) pushAsking(codes, asking)
}

/** Who is in sync is in the image that the broker has seen; times are all the same. */
function pushTerm(codes: number[], { epochStartOffset, highWatermark, followers, proposal }: LeaderState): void {
  codes.push(epochStartOffset, highWatermark, followers.length)
  for (const { brokerId, brokerEpoch, endOffset } of followers.toSorted((one, other) => one.brokerId - other.brokerId)) {
    codes.push(brokerId, brokerEpoch, endOffset)
  }
  codes.push(proposal === undefined ? 0 : proposal.isUnknown ? 1 : 2)
  if (proposal !== undefined) pushMembers(codes, proposal.isr)
}

function pushAsking(codes: number[], { wanted, wasUnknown }: Asking): void {
  codes.push(wanted.leaderEpoch, wanted.partitionEpoch, wasUnknown ? 1 : 0)
  pushMembers(codes, wanted.isr)
}

function pushMembers(codes: number[], members: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]): void {
  codes.push(members.length)
  for (const { brokerId, brokerEpoch } of members.toSorted((one, other) => one.brokerId - other.brokerId)) codes.push(brokerId, brokerEpoch + 1)
}

const kinds: readonly Message['kind'][] = ['request', 'held', 'answer']

function pushMessage(codes: number[], message: Message): void {
  const { from, brokerEpoch, to, leaderEpoch, offset, lastFetchedEpoch } = message.request
  codes.push(kinds.indexOf(message.kind), from, brokerEpoch, to, leaderEpoch, offset, lastFetchedEpoch + 1)
  if (message.kind !== 'answer') return
  const { entries, highWatermark, diverging } = message.answer
  codes.push(entries.length, ...entries, highWatermark, (diverging?.epoch ?? -1) + 1, (diverging?.endOffset ?? -1) + 1)
}

function byOrigin(one: Message, other: Message): number {
  return one.request.from - other.request.from || one.request.offset - other.request.offset || kinds.indexOf(one.kind) - kinds.indexOf(other.kind)
}
