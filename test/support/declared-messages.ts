import { apis } from '../../broker/protocol/apis.ts'
import { consumerProtocolAssignment } from '../../broker/protocol/messages/consumer-protocol-assignment.ts'
import { consumerProtocolSubscription } from '../../broker/protocol/messages/consumer-protocol-subscription.ts'
import type { Message } from '../../broker/protocol/schema.ts'

/** Everything that has a codec: both sides of each API, and the blobs inside of others. */
export const declaredMessages: readonly Message[] = [
  ...apis.flatMap(({ request, response }) => [request, response]), consumerProtocolSubscription, consumerProtocolAssignment,
]

export function versionsOf({ versions: { start, end } }: Pick<Message, 'versions'>): number[] {
  return Array.from({ length: end - start + 1 }, (_, index) => start + index)
}
