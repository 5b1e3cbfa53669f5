// Moves the log start offset up (KIP-107); -1 stands for the high watermark.

import { api, array, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const deleteRecordsApi = api({
  key: 21, name: 'DeleteRecords', versions: [0, 2], flexible: 2,
  request: {
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        offset: int64,
      }),
    }),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.or(0),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        lowWatermark: int64,
        errorCode: int16,
      }),
    }),
  },
})

export type DeleteRecordsRequest = RequestOf<typeof deleteRecordsApi>
export type DeleteRecordsResponse = ResponseOf<typeof deleteRecordsApi>
