import type { Partition } from '../replication/partition.ts'
import { isAlive } from '../cluster/image.ts'
import type { PartitionContext } from './partition-context.ts'

/**
 * Where a consumer in a rack better reads a partition that this broker leads: a replica in sync there that has what it asks
 * for (KIP-392). Undefined: here, for the leader is as near, or nobody is nearer.
 */
export function preferredReplica(
  { image, brokerId }: PartitionContext, partition: Partition, { rackId, offset }: { readonly rackId: string; readonly offset: number },
): number | undefined {
  const { term } = partition
  if (term === undefined || image.brokers.get(brokerId)?.rack === rackId) return undefined
  const { isr, followers } = term.state
  const near = followers.filter(({ brokerId: id, endOffset }) => {
    return isr.includes(id) && isAlive(image, id) && image.brokers.get(id)?.rack === rackId && endOffset >= offset
  })
  return near.toSorted((one, other) => other.endOffset - one.endOffset)[0]?.brokerId
}
