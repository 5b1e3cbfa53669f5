// Changes of the metadata log that are not a leader's own. Each is decided by broker/cluster on the newest image, for who
// decided on an older one loses the race and decides again.

import type { Image } from '../broker/cluster/image.ts'
import { planFence, planHandOver, planPreferred, planRegistration, planUnfence } from '../broker/cluster/leadership.ts'
import type { MetadataRecord } from '../broker/cluster/metadata-record.ts'
import type { Rules } from '../broker/runtime/rules.ts'
import { next, registered, rulesOf } from './metadata.ts'
import { assume, truncate } from './replica.ts'
import { type Broker, spend, withBroker, type World } from './world.ts'

/** `undefined` where there is nothing to be changed. */
export function appended(world: World, records: readonly MetadataRecord[]): World | undefined {
  return records.length === 0 ? undefined : { ...world, images: [...world.images, next(world.images.at(-1)!, records)] }
}

/** A session is over when somebody believes so, and nobody has to be right. */
export function fence(world: World, { id }: Broker, rules: Rules): World | undefined {
  const image = world.images.at(-1)!
  return appended(world, planFence(image, image.brokers.get(id)!, rulesOf(rules)))
}

/** A broker asks to serve again once it has seen that it does not. */
export function unfence(world: World, { id, brokerEpoch, position }: Broker, rules: Rules): World | undefined {
  const own = world.images[position]!.brokers.get(id)
  if (own?.isFenced !== true || own.brokerEpoch !== brokerEpoch) return undefined
  return appended(world, planUnfence(world.images.at(-1)!, { brokerId: id, brokerEpoch }, rulesOf(rules)))
}

export function handOver(world: World, broker: Broker, rules: Rules): World | undefined {
  if (broker.term === undefined) return undefined
  const records = planHandOver(world.images.at(-1)!, broker.id, { isCutOff: () => true, isHeard: () => true, rulesOf: rulesOf(rules) })
  const moved = appended(world, records)
  return moved && spend(moved, 'moves')
}

export function prefer(world: World): World | undefined {
  const moved = appended(world, planPreferred(world.images.at(-1)!))
  return moved && spend(moved, 'moves')
}

/** What nobody heard of is carried out, where nothing took its place. */
export function land(world: World): World | undefined {
  const { unlanded } = world
  if (unlanded?.position !== world.images.length) return undefined
  return { ...appended(world, unlanded.records)!, unlanded: undefined }
}

/** A broker stops without a word and starts again: it registers, and takes the role that the metadata log then gives it. */
export function restart(
  world: World, broker: Broker, of: { readonly keeps: number | 'all' | 'nothing'; readonly rules: Rules },
): World | undefined {
  const { keeps, rules } = of
  const { id, log } = broker
  const image = world.images.at(-1)!
  const disk = diskOf(image, id) + (keeps === 'nothing' ? 1 : 0)
  const isIntact = () => typeof keeps !== 'number'
  const records = planRegistration(image, { ...registered(id, disk), isIntact }, rulesOf(rules))
  const made = appended(world, records)!
  const registeredImage = made.images.at(-1)!
  const recovered = truncate(broker, keeps === 'nothing' ? 0 : keeps === 'all' ? log.length : keeps)
  const started: Broker = {
    ...recovered, position: made.images.length - 1, brokerEpoch: registeredImage.brokers.get(id)!.brokerEpoch,
    knownHighWatermark: 0, term: undefined, asking: undefined,
  }
  const messages = made.messages.filter(({ kind, request }) => request.to !== id && !(kind === 'answer' && request.from === id))
  return spend(withBroker({ ...made, messages }, assume(made, started, rules)), keeps === 'all' ? 'restarts' : 'losses')
}

function diskOf(image: Image, brokerId: number): number {
  return Number(image.brokers.get(brokerId)!.diskId.slice('disk '.length))
}
