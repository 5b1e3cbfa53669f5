// DescribeCluster, v0-v2 (KIP-700): the brokers and who leads the cluster.
//
// Any broker may change metadata, so the broker that answers names itself as the controller.
//   v1  asks for brokers or for controllers (KIP-919); there are no separate controllers, so the latter is refused
//   v2  fenced brokers are shown where they are asked for (KIP-1073)

import { ErrorCode } from '../protocol/error-code.ts'
import { describeClusterApi, type DescribeClusterResponse } from '../protocol/messages/describe-cluster.ts'
import { allClusterOperations, notAsked } from './authorized-operations.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

const brokerEndpoints = 1

export function describeCluster(context: ClusterContext): HandlerOf<typeof describeClusterApi> {
  return {
    api: describeClusterApi,

    handle(request) {
      if (request.endpointType !== brokerEndpoints) {
        return empty(context, ErrorCode.MISMATCHED_ENDPOINT_TYPE, 'this endpoint is one of brokers, not of controllers')
      }
      return {
        ...empty(context, ErrorCode.NONE, null),
        controllerId: context.brokerId,
        brokers: [...context.image.brokers.values()].filter(({ isFenced }) => !isFenced || request.includeFencedBrokers).map((broker) => ({
          brokerId: broker.brokerId, host: broker.host, port: broker.port, rack: broker.rack, isFenced: broker.isFenced,
        })),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? allClusterOperations : notAsked,
      }
    },

    refuse: (_request, code) => empty(context, code, null),
  }
}

function empty(context: ClusterContext, errorCode: number, errorMessage: string | null): DescribeClusterResponse {
  return {
    errorCode, errorMessage, endpointType: brokerEndpoints, clusterId: context.clusterId, controllerId: -1, brokers: [],
    clusterAuthorizedOperations: notAsked,
  }
}
