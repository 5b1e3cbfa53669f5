// How a leader's change of the in-sync replicas comes into the metadata log, as broker/replication/isr-changes.ts does it.

import { planIsr } from '../broker/cluster/leadership.ts'
import type { Rules } from '../broker/runtime/rules.ts'
import { loseProposal, type LeaderState, planSync, propose, refuseProposal } from '../broker/replication/leader-state.ts'
import { minIsr, next, topicId } from './metadata.ts'
import { advance, now, seeAll } from './replica.ts'
import { type Broker, spend, withBroker, type World } from './world.ts'

/** The leader finds that followers are out of step, or in step again, and makes a proposal of it. */
export function proposeWithout(world: World, broker: Broker, of: { readonly late: readonly number[]; readonly rules: Rules }): World | undefined {
  const { term } = broker
  const { late, rules } = of
  if (term === undefined || broker.asking !== undefined) return undefined
  const proposal = planSync(withLate(term, late), { now, lagMsMax: 0, minIsr, endOffset: broker.log.length, rules })
  if (proposal === undefined) return undefined
  const { leaderEpoch, partitionEpoch } = term
  const wanted = { topicId, partition: 0, leader: broker.id, leaderEpoch, partitionEpoch, isr: proposal.isr }
  const proposed = { ...broker, term: propose(term, proposal), asking: { wanted, wasUnknown: proposal.isUnknown } }
  return withBroker(world, advance(proposed, rules))
}

/** Those that have not fetched in this term are all late or none is: the same time has passed for each. */
function withLate(term: LeaderState, late: readonly number[]): LeaderState {
  const followers = term.followers.map((view) => (late.includes(view.brokerId) ? { ...view, caughtUpAt: now - 1 } : view))
  const isSilent = late.some((id) => !term.followers.some((view) => view.brokerId === id))
  return { ...term, followers, beganAt: isSilent ? now - 1 : now }
}

/** It is decided on the newest image, which the broker has taken in by then, and appended or refused. */
export function carryOut(world: World, broker: Broker, rules: Rules): World {
  const asking = seeAll(world, broker, rules)
  const image = world.images.at(-1)!
  const plan = planIsr(image, broker.asking!.wanted, rules)
  if (typeof plan === 'string') return withBroker(world, refused(asking, rules))
  // That it is there the broker learns as everybody does, from the log.
  return { ...withBroker(world, { ...asking, asking: undefined }), images: [...world.images, next(image, [plan])] }
}

/** What the broker has seen of the metadata log is enough to refuse it. */
export function refuseAtOnce(world: World, broker: Broker, rules: Rules): World | undefined {
  const isNewest = broker.position === world.images.length - 1
  const plan = planIsr(world.images[broker.position]!, broker.asking!.wanted, rules)
  return !isNewest && typeof plan === 'string' ? withBroker(world, refused(broker, rules)) : undefined
}

function refused(broker: Broker, rules: Rules): Broker {
  const { asking, ...rest } = broker
  const answered: Broker = { ...rest, asking: undefined }
  const term = termOf(broker)
  if (term?.proposal === undefined) return answered
  return advance({ ...answered, term: refuseProposal(term, { wasUnknown: asking!.wasUnknown }) }, rules)
}

/** The table does not answer. What was written on the newest image may be there later, or never. */
export function lose(world: World, broker: Broker, of: { readonly mayLand: boolean; readonly rules: Rules }): World | undefined {
  const position = world.images.length
  const plan = planIsr(world.images[broker.position]!, broker.asking!.wanted, of.rules)
  if (typeof plan === 'string' || (of.mayLand && (broker.position !== position - 1 || world.unlanded !== undefined))) return undefined
  const term = termOf(broker)
  const lost = withBroker(world, { ...broker, asking: undefined, term: term === undefined ? broker.term : loseProposal(term) })
  return spend(of.mayLand ? { ...lost, unlanded: { position, records: [plan] } } : lost, 'unheard')
}

/** The term that the question is of, unless that is over. */
function termOf({ term, asking }: Broker): LeaderState | undefined {
  return term?.leaderEpoch === asking?.wanted.leaderEpoch ? term : undefined
}
