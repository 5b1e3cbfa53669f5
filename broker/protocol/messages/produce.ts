// v3 brought batches of magic 2 and transactions (KIP-98), v5 the log start offset, v7 zstd (KIP-110), v8 says which
// record was refused (KIP-467), v10 names the new leader (KIP-951), v11 and v12 changed transactions (KIP-890). From
// v13 topics go by id (KIP-516).

import { api, array, int16, int32, int64, records, string, struct, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const produceApi = api({
  key: 0, name: 'Produce', versions: [3, 13], flexible: 9,
  request: {
    transactionalId: string.nullable().or(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      name: string.to(12),
      topicId: uuid.from(13),
      partitionData: array({
        index: int32,
        records: records.nullable(),
      }),
    }),
  },
  response: {
    responses: array({
      name: string.to(12),
      topicId: uuid.from(13),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: int64.or(-1),
        logStartOffset: int64.or(-1).from(5),
        recordErrors: array({
          batchIndex: int32,
          batchIndexErrorMessage: string.nullable().or(null),
        }).from(8),
        errorMessage: string.nullable().or(null).from(8),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        }).from(10).tagged(0, 10),
      }),
    }),
    throttleTimeMs: int32.or(0),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
    }).from(10).tagged(0, 10),
  },
})

export type ProduceRequest = RequestOf<typeof produceApi>
export type ProduceResponse = ResponseOf<typeof produceApi>
