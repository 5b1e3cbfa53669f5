// ElectLeaders, v0-v2 (KIP-183): gives partitions back to their preferred leaders, or, where nobody leads, to any replica that
// serves, though it may lack what was committed (KIP-460).
//
// Where all partitions are meant, those that need no election are left out of the answer, as in Kafka.
//   v1  the kind of election, and an error for the whole answer

import type { WantedElection } from '../cluster/election.ts'
import type { Image } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { electLeadersApi, type ElectLeadersRequest, type ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

/** By the protocol's code. */
const kinds: readonly WantedElection['kind'][] = ['preferred', 'unclean']

export function electLeaders(context: ClusterContext): HandlerOf<typeof electLeadersApi> {
  return {
    api: electLeadersApi,

    async handle(request) {
      const kind = kinds[request.electionType]
      if (kind === undefined) return { errorCode: ErrorCode.INVALID_REQUEST, replicaElectionResults: [] }
      const isForAll = request.topicPartitions === null
      const wanted = wantedOf(context.image, request).map((one) => ({ ...one, kind }))
      const outcomes = await context.partitionAdmin.elect(wanted)
      const results = new Map<string, Result[]>()
      wanted.forEach(({ topic, partition }, index) => {
        const refused = outcomes[index]
        if (isForAll && refused?.code === ErrorCode.ELECTION_NOT_NEEDED) return
        const result = { partitionId: partition, errorCode: refused?.code ?? ErrorCode.NONE, errorMessage: refused?.message ?? null }
        results.set(topic, [...(results.get(topic) ?? []), result])
      })
      return answer(ErrorCode.NONE, results)
    },

    refuse: (request, code) => {
      const results = (request.topicPartitions ?? []).map(({ topic, partitions }) => [topic, partitions.map((partitionId) => ({
        partitionId, errorCode: code, errorMessage: null,
      }))] as const)
      return answer(code, results)
    },
  }
}

type Result = ElectLeadersResponse['replicaElectionResults'][number]['partitionResult'][number]

function wantedOf(image: Image, { topicPartitions }: ElectLeadersRequest): { readonly topic: string; readonly partition: number }[] {
  if (topicPartitions === null) {
    return [...image.topics.values()].flatMap(({ name, partitions }) => partitions.map(({ partition }) => ({ topic: name, partition })))
  }
  return topicPartitions.flatMap(({ topic, partitions }) => [...new Set(partitions)].map((partition) => ({ topic, partition })))
}

function answer(errorCode: number, results: Iterable<readonly [string, readonly Result[]]>): ElectLeadersResponse {
  return {
    errorCode, replicaElectionResults: [...results].map(([topic, partitionResult]) => ({ topic, partitionResult: [...partitionResult] })),
  }
}
