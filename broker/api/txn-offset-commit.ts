// TxnOffsetCommit, v0-v5: where a group's consumers are once the producer's transaction is committed (KIP-98).
//
// The transaction's coordinator is asked first (KIP-890): since v5 the group becomes part of the transaction by this, clients
// before have said so in AddOffsetsToTxn and are believed once it confirms that. Nobody sees the offsets before the end of
// the transaction; what is acknowledged is in the table, under the version that this broker claimed the group with (G1).
//   v2  leader epochs (KIP-320)     v3  the member that they are committed for, which is fenced as in OffsetCommit (KIP-447)
//   v4  TRANSACTION_ABORTABLE       v5  no AddOffsetsToTxn before

import type { Enlister } from '../coordinator/enlister.ts'
import type { Groups } from '../coordinator/groups.ts'
import type { CommitAnswer, OffsetToCommit } from '../coordinator/offsets/commit.ts'
import type { Topic } from '../coordinator/topics.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { txnOffsetCommitApi, type TxnOffsetCommitRequest, type TxnOffsetCommitResponse } from '../protocol/messages/txn-offset-commit.ts'
import { enlistedCode } from './enlisted-code.ts'
import type { HandlerOf } from './handler.ts'

/** The first version whose clients make the group part of the transaction by this. */
const enlistsSince = 5
/** The first version whose clients know TRANSACTION_ABORTABLE. */
const abortableSince = 4

export function txnOffsetCommit(groups: Groups, enlister: Pick<Enlister, 'group'>): HandlerOf<typeof txnOffsetCommitApi> {
  return {
    api: txnOffsetCommitApi,

    async handle(request, { version }) {
      if (request.transactionalId === '') return refuseAll(request, ErrorCode.INVALID_REQUEST)
      if (request.groupId === '') return refuseAll(request, ErrorCode.INVALID_GROUP_ID)
      const topics = request.topics.map((asked) => ({ asked, topic: groups.topics.byName(asked.name) }))
      const offsets = offsetsIn(topics)
      if (offsets.length === 0) return response(topics, [])
      const answer = await commit(groups, enlister, { request, offsets, version })
      return response(topics, typeof answer === 'number' ? offsets.map(() => answer) : answer)
    },

    refuse: refuseAll,
  }
}

interface Commit {
  readonly request: TxnOffsetCommitRequest
  readonly offsets: readonly OffsetToCommit[]
  readonly version: number
}

async function commit(groups: Groups, enlister: Pick<Enlister, 'group'>, { request, offsets, version }: Commit): Promise<CommitAnswer> {
  const { transactionalId, groupId, producerId, producerEpoch, memberId, groupInstanceId: instanceId, generationId: epoch } = request
  const guard = groups.guards.hold(groupId, producerId)
  try {
    // A transaction has nothing of a group that another broker will be asked for. And what is written is held against what is known now.
    const group = await groups.look(groupId)
    if (typeof group === 'number') return group
    const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: version < enlistsSince }
    const added = await enlister.group(transaction, groupId)
    const again = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    const code = enlistedCode(added.errorCode, { version, enlistsSince, abortableSince, again })
    if (code !== ErrorCode.NONE) return code
    const { coordinatorEpoch } = added
    return await groups.execute<CommitAnswer>(groupId, {
      kind: 'commitTransactionally', memberId, instanceId, epoch, offsets, producerId, producerEpoch, coordinatorEpoch, guard,
    })
  } finally {
    groups.releaseGuard(guard)
  }
}

type Asked = TxnOffsetCommitRequest['topics'][number]

/** The topics as they are when the request comes. */
interface AskedTopic {
  readonly asked: Asked
  readonly topic: Topic | undefined
}

function has(topic: Topic | undefined, partition: number): topic is Topic {
  return topic !== undefined && partition >= 0 && partition < topic.partitionCount
}

function offsetsIn(topics: readonly AskedTopic[]): OffsetToCommit[] {
  const offsets: OffsetToCommit[] = []
  for (const { asked, topic } of topics) {
    for (const { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: leaderEpoch, ...rest } of asked.partitions) {
      if (!has(topic, partition)) continue
      offsets.push({ topicId: topic.id, partition, offset, leaderEpoch, metadata: rest.committedMetadata ?? '' })
    }
  }
  return offsets
}

/** `codes`: of the offsets whose partitions there are, in their order. */
function response(topics: readonly AskedTopic[], codes: readonly number[]): TxnOffsetCommitResponse {
  const left = [...codes]
  return {
    topics: topics.map(({ asked: { name, partitions }, topic }) => ({
      name, partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex, errorCode: has(topic, partitionIndex) ? left.shift()! : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    })),
  }
}

function refuseAll(request: TxnOffsetCommitRequest, code: number): TxnOffsetCommitResponse {
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    })),
  }
}
