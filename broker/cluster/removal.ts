import { ErrorCode } from '../protocol/error-code.ts'
import type { Image } from './image.ts'
import type { BrokerRemoved } from './metadata-record.ts'
import { refusal, type Refusal } from './topic-changes.ts'

/**
 * Forgets a broker for good. Kafka does that with any, and leaves its replicas behind as names of nobody. Here it has to have
 * stopped and to have nothing any more: a broker that serves would go on without a place in the cluster, and what only
 * it has could not come back.
 */
export function planRemoval(image: Image, brokerId: number): BrokerRemoved | Refusal {
  const broker = image.brokers.get(brokerId)
  if (broker === undefined) return refusal(ErrorCode.BROKER_ID_NOT_REGISTERED, `Broker ID ${brokerId} is not currently registered.`)
  if (!broker.isFenced) return refusal(ErrorCode.POLICY_VIOLATION, `Broker ${brokerId} serves: it has to be stopped first.`)
  const partitions = [...image.topics.values()].flatMap((topic) => topic.partitions)
  const count = partitions.filter(({ replicas }) => replicas.includes(brokerId)).length
  if (count === 0) return { type: 'brokerRemoved', brokerId }
  return refusal(ErrorCode.POLICY_VIOLATION, `Broker ${brokerId} has replicas of ${count} partition(s): they have to be reassigned first.`)
}
