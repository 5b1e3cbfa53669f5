// v1 asks brokers or controllers (KIP-919), v2 also lists brokers that are fenced (KIP-1073).

import { api, array, bool, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const describeClusterApi = api({
  key: 60, name: 'DescribeCluster', versions: [0, 2], flexible: 0,
  request: {
    includeClusterAuthorizedOperations: bool,
    endpointType: int8.or(1).from(1),
    includeFencedBrokers: bool.from(2),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable().or(null),
    endpointType: int8.or(1).from(1),
    clusterId: string,
    controllerId: int32.or(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.nullable().or(null),
      isFenced: bool.from(2),
    }),
    clusterAuthorizedOperations: int32.or(-2147483648),
  },
})

export type DescribeClusterRequest = RequestOf<typeof describeClusterApi>
export type DescribeClusterResponse = ResponseOf<typeof describeClusterApi>
