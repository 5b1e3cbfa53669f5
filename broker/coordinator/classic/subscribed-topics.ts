import { consumerProtocolSubscription } from '../../protocol/messages/consumer-protocol-subscription.ts'
import { MalformedMessage, Reader } from '../../protocol/reader.ts'
import { codec } from '../../protocol/codec.ts'
import { type ClassicGroup, consumerProtocolType, metadataOf } from './classic-group.ts'

type Facts = Pick<ClassicGroup, 'protocolType' | 'protocol' | 'members'>

/**
 * The topics that a group of consumers subscribes to: their offsets neither expire nor can be deleted. Version 0 is the
 * beginning of all later versions of a subscription, so it is enough. Undefined where the group is of another kind or
 * its metadata cannot be read.
 */
export function subscribedTopics({ protocolType, protocol, members }: Facts): ReadonlySet<string> | undefined {
  if (protocolType !== consumerProtocolType) return undefined
  if (members.size === 0) return new Set()
  if (protocol === undefined) return undefined
  const topics = new Set<string>()
  for (const member of members.values()) {
    const subscription = topicsIn(metadataOf(member, protocol))
    if (subscription === undefined) return undefined
    for (const topic of subscription) topics.add(topic)
  }
  return topics
}

function topicsIn(metadata: Buffer): readonly string[] | undefined {
  if (metadata.length < 2) return undefined
  try {
    return codec(consumerProtocolSubscription, 0).read(new Reader(metadata.subarray(2))).topics
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}
