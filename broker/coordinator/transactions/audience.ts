// Partitions and groups, as they are reached by way of brokers: WriteTxnMarkers to leaders, EndTxnOffsets to the coordinators of
// groups.

import { ErrorCode } from '../../protocol/error-code.ts'
import { endTxnOffsetsApi } from '../../protocol/internal/txn-group.ts'
import { writeTxnMarkersApi, type WriteTxnMarkersRequest, type WriteTxnMarkersResponse } from '../../protocol/messages/write-txn-markers.ts'
import type { Api, GivenOf, ReadOf, Shape } from '../../protocol/schema.ts'
import type { Uuid } from '../../runtime/random.ts'
import { type CoordinatorDirectory, shardOf } from '../directory.ts'
import type { Topics } from '../topics.ts'
import type { Audience, Ending, Lane, Outcome, Target } from './ending.ts'

/** Asks a broker, which may be this one. Rejects where it is not known whether that was carried out. */
export type AskInLane = <Q extends Shape, P extends Shape>(
  lane: Lane, brokerId: number, api: Api<Q, P>, request: GivenOf<Q>, options: { readonly version: number; readonly timeoutMs: number },
) => Promise<ReadOf<P>>

export interface AudienceOptions {
  readonly topics: Topics
  readonly directory: CoordinatorDirectory
  readonly ask: AskInLane
  readonly timeoutMs: number
  /** Of a partition that there is; undefined: it has none now. */
  leaderOf(topicId: Uuid, partition: number): number | undefined
}

export function audienceOf({ topics, directory, ask, timeoutMs, leaderOf }: AudienceOptions): Audience {
  return {
    brokerOf(target) {
      if (target.kind === 'group') {
        const owner = directory.ownerOf('group', shardOf(target.groupId))
        return typeof owner === 'number' ? undefined : owner.nodeId
      }
      const topic = topics.byId(target.topicId)
      return topic === undefined || target.partition >= topic.partitionCount ? 'gone' : leaderOf(target.topicId, target.partition)
    },

    async tell(brokerId, targets, lane) {
      const [first] = targets
      if (first?.kind === 'group') {
        const { transaction: { state, producerId, producerEpoch, version }, coordinatorEpoch } = first.ending
        const request = {
          groupId: first.groupId, producerId, producerEpoch, committed: state === 'PrepareCommit', coordinatorEpoch,
          hasOwnEpoch: version === 2,
        }
        const { errorCode } = await ask(lane, brokerId, endTxnOffsetsApi, request, { version: 0, timeoutMs })
        return [outcomeOf(errorCode)]
      }
      const names = targets.map((target) => target.kind === 'partition' ? topics.byId(target.topicId)?.name : undefined)
      const markers = markersOf(targets, names)
      // Topics that were deleted since: there is nobody to tell.
      if (markers.length === 0) return targets.map(() => 'told')
      const codes = codesOf(await ask(lane, brokerId, writeTxnMarkersApi, { markers }, { version: 2, timeoutMs }))
      return targets.map((target, index): Outcome => {
        const name = names[index]
        if (target.kind !== 'partition' || name === undefined) return 'told'
        const code = codes.get(keyOf(target.ending.transaction.producerId, name, target.partition))
        return code === undefined ? 'again' : outcomeOf(code)
      })
    },
  }
}

function keyOf(producerId: number, topic: string, partition: number): string {
  return `${producerId}/${topic}/${partition}`
}

function codesOf({ markers }: WriteTxnMarkersResponse): Map<string, number> {
  return new Map(markers.flatMap(({ producerId, topics }) => topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => [keyOf(producerId, name, partitionIndex), errorCode] as const))))
}

type Marker = WriteTxnMarkersRequest['markers'][number]

/** Everything that one request says of one transaction is one marker. */
function markersOf(targets: readonly Target[], names: readonly (string | undefined)[]): Marker[] {
  const topicsOf = new Map<Ending, Map<string, number[]>>()
  targets.forEach((target, index) => {
    const name = names[index]
    if (target.kind !== 'partition' || name === undefined) return
    let byName = topicsOf.get(target.ending)
    if (byName === undefined) topicsOf.set(target.ending, (byName = new Map()))
    const partitions = byName.get(name)
    if (partitions === undefined) byName.set(name, [target.partition])
    else partitions.push(target.partition)
  })
  return [...topicsOf].map(([ending, byName]) => {
    const { transaction: { producerId, producerEpoch, state, version }, coordinatorEpoch } = ending
    return {
      producerId, producerEpoch, transactionResult: state === 'PrepareCommit', coordinatorEpoch, transactionVersion: version,
      topics: [...byName].map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
    }
  })
}

function outcomeOf(errorCode: number): Outcome {
  switch (errorCode) {
    case ErrorCode.NONE:
    // The producer is at a later epoch there, which it was not given before this transaction had ended.
    case ErrorCode.INVALID_PRODUCER_EPOCH:
    // Compacted topics of old formats, and whatever else can never have held a record of it.
    case ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return 'told'
    case ErrorCode.TRANSACTION_COORDINATOR_FENCED:
      return 'fenced'
    default:
      return 'again'
  }
}
