// All topics: an empty list in v0, null from v1 on. v4 says whether to create topics, v5 brought offline replicas
// (KIP-112), v7 leader epochs (KIP-320), v8 to v10 authorized operations (KIP-430, moved by KIP-700). Topic ids are
// answered from v10 and may be asked for from v12 (KIP-516); v13 can fail as a whole.

import { api, array, bool, int16, int32, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const metadataApi = api({
  key: 3, name: 'Metadata', versions: [0, 13], flexible: 9,
  request: {
    topics: array({
      topicId: uuid.from(10),
      name: string.nullable(10),
    }).nullable(1),
    allowAutoTopicCreation: bool.or(true).from(4),
    includeClusterAuthorizedOperations: bool.from(8).to(10),
    includeTopicAuthorizedOperations: bool.from(8),
  },
  response: {
    throttleTimeMs: int32.or(0).from(3),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null).from(1),
    }),
    clusterId: string.nullable().or(null).from(2),
    controllerId: int32.or(-1).from(1),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.from(10),
      isInternal: bool.or(false).from(1),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.or(-1).from(7),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).from(5),
      }),
      topicAuthorizedOperations: int32.or(-2147483648).from(8),
    }),
    clusterAuthorizedOperations: int32.or(-2147483648).from(8).to(10),
    errorCode: int16.from(13),
  },
})

export type MetadataRequest = RequestOf<typeof metadataApi>
export type MetadataResponse = ResponseOf<typeof metadataApi>
