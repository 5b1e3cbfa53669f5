// What an event does. Undefined where it cannot happen.

import type { Rules } from '../broker/runtime/rules.ts'
import { fence, handOver, land, prefer, restart, unfence } from './controller.ts'
import type { Event } from './event.ts'
import { carryOut, lose, proposeWithout, refuseAtOnce } from './proposals.ts'
import { append, isOfKnownStart, read, seeAll, seeNext, take, wanted } from './replica.ts'
import { type Broker, type FetchRequest, type Message, partitionSeenBy, spend, withBroker, type World } from './world.ts'

export function step(world: World, event: Event, rules: Rules): World | undefined {
  if (event.kind === 'arrive') return arrive(world, event.index, rules)
  if (!('broker' in event)) return event.kind === 'land' ? land(world) : prefer(world)
  const broker = world.brokers[event.broker]!
  if (event.kind === 'propose') return proposeWithout(world, broker, { late: event.late, rules })
  if (event.kind === 'lose') return lose(world, broker, { mayLand: event.mayLand, rules })
  if (event.kind === 'restart') return restart(world, broker, { keeps: event.keeps, rules })
  switch (event.kind) {
    case 'produce':
      return spend(withBroker(world, append(broker, world.spent.values + 1, rules)), 'values')
    case 'see':
      return withoutDead(withBroker(world, seeNext(world, broker, rules)))
    case 'see all':
      return withoutDead(withBroker(world, seeAll(world, broker, rules)))
    case 'carry out':
      return withoutDead(carryOut(world, broker, rules))
    case 'refuse':
      return refuseAtOnce(world, broker, rules)
    case 'fence':
      return fence(world, broker, rules)
    case 'unfence':
      return unfence(world, broker, rules)
    case 'hand over':
      return handOver(world, broker, rules)
    default:
      return ask(world, broker, { kind: event.kind, rules })
  }
}

type Delivery = 'fetch' | 'send' | 'hold' | 'answer'

function ask(world: World, broker: Broker, { kind, rules }: { readonly kind: Delivery; readonly rules: Rules }): World | undefined {
  const request = wanted(world, broker)
  // One at a time: it still waits for an answer.
  if (request === undefined || world.messages.some((one) => one.kind === 'answer' && one.request.from === broker.id)) return undefined
  if (kind === 'send') return sent(world, { kind: 'request', request })
  const done = served(world, request, rules)
  if (done === undefined) return undefined
  const { answer, leader } = done
  const read = withBroker(world, leader)
  if (kind === 'fetch') return withBroker(read, take(broker, request, answer))
  if (kind === 'answer') return sent(read, { kind: 'answer', request, answer })
  return answer.entries.length > 0 || answer.diverging !== undefined ? undefined : sent(read, { kind: 'held', request })
}

function served(world: World, request: FetchRequest, rules: Rules) {
  const leader = world.brokers[request.to]!
  return isOfKnownStart(world, leader, request) ? read(world, leader, { request, rules }) : undefined
}

function arrive(world: World, index: number, rules: Rules): World {
  const message = world.messages[index]!
  const { request } = message
  const left = { ...world, messages: world.messages.filter((one) => one !== message) }
  if (message.kind === 'answer') return withBroker(left, take(world.brokers[request.from]!, request, message.answer))
  const leader = world.brokers[request.to]!
  // Which start it is of was looked at as it arrived; one that is held is not asked again.
  const done = message.kind === 'held' ? read(world, leader, { request, rules }) : served(world, request, rules)
  return done === undefined ? left : withBroker(left, done.leader)
}

const counted = { request: 'lateRequests', answer: 'lateAnswers', held: 'held' } as const

function sent(world: World, message: Message): World {
  return spend({ ...world, messages: [...world.messages, message] }, counted[message.kind])
}

/** An answer counts in the epoch in which it was asked for. */
function withoutDead(world: World): World {
  const isAlive = (message: Message) => {
    const follower = world.brokers[message.request.from]!
    return message.kind !== 'answer' || partitionSeenBy(world, follower).leaderEpoch === message.request.leaderEpoch
  }
  return world.messages.every(isAlive) ? world : { ...world, messages: world.messages.filter(isAlive) }
}
