// v5 brought the log start offset, v7 sessions in which only what changed is named (KIP-227), v9 leader epochs
// (KIP-320), v11 reading from the nearest replica (KIP-392), v12 divergence by epoch (KIP-595). From v13 topics go by
// id (KIP-516). v14 may answer that an offset is only in the tier (KIP-405), v15 moved the replica's id and brought its
// epoch (KIP-903), v16 names the new leader (KIP-951), v17 the directory of a voter (KIP-853), v18 the follower's high
// watermark (KIP-1166).

import { api, array, int16, int32, int64, int8, records, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const fetchApi = api({
  key: 1, name: 'Fetch', versions: [4, 18], flexible: 12,
  request: {
    clusterId: string.nullable().or(null).from(12).tagged(0, 12),
    replicaId: int32.or(-1).to(14),
    replicaState: struct({
      replicaId: int32.or(-1),
      replicaEpoch: int64.or(-1),
    }).from(15).tagged(1, 15),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.or(0x7fff_ffff),
    isolationLevel: int8.or(0),
    sessionId: int32.or(0).from(7),
    sessionEpoch: int32.or(-1).from(7),
    topics: array({
      topic: string.to(12),
      topicId: uuid.from(13),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.or(-1).from(9),
        fetchOffset: int64,
        lastFetchedEpoch: int32.or(-1).from(12),
        logStartOffset: int64.or(-1).from(5),
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.from(17).tagged(0, 17),
        highWatermark: int64.or(Infinity).from(18).tagged(1, 18),
      }),
    }),
    forgottenTopicsData: array({
      topic: string.to(12),
      topicId: uuid.from(13),
      partitions: array(int32),
    }).from(7),
    rackId: string.or('').from(11),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.from(7),
    sessionId: int32.or(0).from(7),
    responses: array({
      topic: string.to(12),
      topicId: uuid.from(13),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: int64.or(-1),
        logStartOffset: int64.or(-1).from(5),
        divergingEpoch: struct({
          epoch: int32.or(-1),
          endOffset: int64.or(-1),
        }).from(12).tagged(0, 12),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).from(12).tagged(1, 12),
        snapshotId: struct({
          endOffset: int64.or(-1),
          epoch: int32.or(-1),
        }).from(12).tagged(2, 12),
        abortedTransactions: array({
          producerId: int64,
          firstOffset: int64,
        }).nullable(),
        preferredReadReplica: int32.or(-1).from(11),
        records: records.nullable(),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
    }).from(16).tagged(0, 16),
  },
})

export type FetchRequest = RequestOf<typeof fetchApi>
export type FetchResponse = ResponseOf<typeof fetchApi>
