// What each partition takes on disk (KIP-113). v3 can fail as a whole, v4 brought the size of the volume (KIP-827), v5
// whether a directory is cordoned (KIP-1066).

import { api, array, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const describeLogDirsApi = api({
  key: 35, name: 'DescribeLogDirs', versions: [1, 5], flexible: 2,
  request: {
    topics: array({
      topic: string,
      partitions: array(int32),
    }).nullable(),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.from(3),
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: int64,
          offsetLag: int64,
          isFutureKey: bool,
        }),
      }),
      totalBytes: int64.or(-1).from(4),
      usableBytes: int64.or(-1).from(4),
      isCordoned: bool.or(false).from(5),
    }),
  },
})

export type DescribeLogDirsRequest = RequestOf<typeof describeLogDirsApi>
export type DescribeLogDirsResponse = ResponseOf<typeof describeLogDirsApi>
