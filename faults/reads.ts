import { ErrorCode } from '../broker/protocol/error-code.ts'
import { fetchApi } from '../broker/protocol/messages/fetch.ts'
import { listOffsetsApi } from '../broker/protocol/messages/list-offsets.ts'
import { batchesIn } from '../broker/protocol/record-batch.ts'
import { logged, sightingsIn, withoutAborted } from '../sim/check/batches.ts'
import type { Listing, LoggedBatch, Place, Sighting } from '../sim/check/history.ts'
import type { Caller } from '../sim/workload/reach.ts'

export interface TopicPlace extends Place {
  readonly topic: string
}

export interface Fetched {
  readonly error: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly records: readonly Sighting[]
  readonly batches: readonly LoggedBatch[]
  /** Where to go on. */
  readonly next: number
  readonly lastStable: number
}

export interface Wanted {
  readonly offset: number
  readonly bytesMax: number
  readonly waitMs: number
  /** From whoever is asked, even where another one leads. */
  readonly isFromFollower?: boolean
  /** Without what is aborted, and up to where nothing is open. */
  readonly isCommittedOnly?: boolean
}

const answerMsMax = 3_000

/** Rejects with `ConnectionLost`. */
export async function fetchFrom(wire: Caller, place: Place, of: Wanted): Promise<Fetched> {
  const { responses: [topic] } = await wire.call(fetchApi, {
    maxWaitMs: of.waitMs, minBytes: 1, maxBytes: of.bytesMax, isolationLevel: of.isCommittedOnly === true ? 1 : 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [],
    rackId: of.isFromFollower === true ? 'anywhere' : '',
    topics: [{ topic: '', topicId: place.topicId, partitions: [
      { partition: place.partition, currentLeaderEpoch: -1, fetchOffset: of.offset, partitionMaxBytes: of.bytesMax },
    ] }],
  }, { timeoutMs: of.waitMs + answerMsMax })
  const found = topic?.partitions[0]
  if (found === undefined) {
    return { error: ErrorCode.UNKNOWN_SERVER_ERROR, highWatermark: -1, logStartOffset: -1, records: [], batches: [], next: of.offset, lastStable: -1 }
  }
  const batches = [...batchesIn(found.records ?? Buffer.alloc(0))]
  const { errorCode: error, highWatermark, logStartOffset, lastStableOffset: lastStable } = found
  const shown = of.isCommittedOnly === true ? withoutAborted(batches, found.abortedTransactions ?? []) : batches
  const records = shown.flatMap(sightingsIn).filter(({ offset }) => offset >= of.offset)
  const next = Math.max(of.offset, batches.at(-1)?.endOffset ?? 0)
  return { error, highWatermark, logStartOffset, records, batches: batches.map(logged), next, lastStable }
}

/** Rejects with `ConnectionLost`. */
export async function endFrom(
  wire: Caller, of: TopicPlace & Pick<Listing, 'which'>,
): Promise<{ readonly error: number; readonly offset: number }> {
  const { topics: [topic] } = await wire.call(listOffsetsApi, {
    replicaId: -1, isolationLevel: of.which === 'stable' ? 1 : 0, timeoutMs: answerMsMax,
    topics: [{ name: of.topic, partitions: [
      { partitionIndex: of.partition, currentLeaderEpoch: -1, timestamp: of.which === 'earliest' ? -2 : -1 },
    ] }],
  }, { timeoutMs: answerMsMax })
  const found = topic?.partitions[0]
  return { error: found?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR, offset: found?.offset ?? -1 }
}
