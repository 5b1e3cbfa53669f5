// v4 lets partitions and replication factor be the broker's (-1, KIP-464), v5 answers with the topic's configuration
// (KIP-525), v6 may refuse by quota (KIP-599), v7 answers with the topic id (KIP-516).

import { api, array, bool, int16, int32, int8, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const createTopicsApi = api({
  key: 19, name: 'CreateTopics', versions: [2, 7], flexible: 5,
  request: {
    topics: array({
      name: string,
      numPartitions: int32,
      replicationFactor: int16,
      assignments: array({
        partitionIndex: int32,
        brokerIds: array(int32),
      }),
      configs: array({
        name: string,
        value: string.nullable(),
      }),
    }),
    timeoutMs: int32.or(60000),
    validateOnly: bool.or(false),
  },
  response: {
    throttleTimeMs: int32.or(0),
    topics: array({
      name: string,
      topicId: uuid.from(7),
      errorCode: int16,
      errorMessage: string.nullable(),
      topicConfigErrorCode: int16.from(5).tagged(0, 5),
      numPartitions: int32.or(-1).from(5),
      replicationFactor: int16.or(-1).from(5),
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        configSource: int8.or(-1),
        isSensitive: bool,
      }).nullable().from(5),
    }),
  },
})

export type CreateTopicsRequest = RequestOf<typeof createTopicsApi>
export type CreateTopicsResponse = ResponseOf<typeof createTopicsApi>
