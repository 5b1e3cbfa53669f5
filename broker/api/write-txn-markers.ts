// WriteTxnMarkers, v1-v2: ends transactions in the partitions that this broker leads (KIP-98). It comes from transactions'
// coordinators, and from whoever ends a hanging one (KIP-664), with the epochs that DescribeProducers says.
//
// Answered once the marker is on every in-sync replica. One that was written before is answered as written; of a coordinator
// or a producer that a newer epoch has succeeded, it is refused (TRANSACTION_COORDINATOR_FENCED, INVALID_PRODUCER_EPOCH).
// Whether one is answered does not depend on the others: each partition has a code of its own.
//   v2  which transaction version its epoch goes by (KIP-1228)

import { topicNamed } from '../cluster/image.ts'
import { markerBatch } from '../log/marker.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { writeTxnMarkersApi, type WriteTxnMarkersRequest, type WriteTxnMarkersResponse } from '../protocol/messages/write-txn-markers.ts'
import type { HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'

type Asked = WriteTxnMarkersRequest['markers'][number]

export function writeTxnMarkers(
  context: PartitionContext, { timeoutMs }: { readonly timeoutMs: number },
): HandlerOf<typeof writeTxnMarkersApi> {
  return {
    api: writeTxnMarkersApi,

    async handle(request) {
      // Every marker is admitted before the first await: in the order in which they were asked for.
      const markers = request.markers.map((asked) => ({
        producerId: asked.producerId,
        topics: asked.topics.map(({ name, partitionIndexes }) => ({
          name, codes: partitionIndexes.map((index) => write(context, asked, { name, index, timeoutMs })),
        })),
      }))
      return response(request, await Promise.all(markers.map(({ topics }) => {
        return Promise.all(topics.map(({ codes }) => Promise.all(codes)))
      })))
    },

    refuse: (request, code) => {
      return response(request, request.markers.map(({ topics }) => topics.map(({ partitionIndexes }) => partitionIndexes.map(() => code))))
    },
  }
}

async function write(
  { image, clock, partitions }: PartitionContext, asked: Asked,
  { name, index, timeoutMs }: { readonly name: string; readonly index: number; readonly timeoutMs: number },
): Promise<number> {
  const topic = topicNamed(image, name)
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const partition = partitions.leader(topic.id, index)
  // It is asked for by name, and may be gone since it was looked up.
  if (typeof partition === 'number') return partition === ErrorCode.UNKNOWN_TOPIC_ID ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : partition
  const { producerId, producerEpoch, coordinatorEpoch, transactionResult: isCommit, transactionVersion } = asked
  const marker = markerBatch({ producerId, producerEpoch, coordinatorEpoch, isCommit, timestamp: clock.now() })
  const { errorCode } = await partition.appendMarker(marker, { hasOwnEpoch: transactionVersion >= 2, timeoutMs })
  return errorCode
}

function response({ markers }: WriteTxnMarkersRequest, codes: readonly (readonly (readonly number[])[])[]): WriteTxnMarkersResponse {
  return {
    markers: markers.map(({ producerId, topics }, at) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }, topicAt) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex, partitionAt) => ({
          partitionIndex, errorCode: codes[at]![topicAt]![partitionAt]!,
        })),
      })),
    })),
  }
}
