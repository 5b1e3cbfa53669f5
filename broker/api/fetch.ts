// Fetch, v4-v18: reads record batches of many partitions, and waits for some where there are none.
//
// Batches are sent as they lie in memory or on disk. A response comes when `minBytes` are there, when a partition has an
// error, or after `maxWaitMs`. One wake per append re-reads; nothing polls. Records from the object store are taken if
// they are ready in time: a partition whose block is still on its way comes back empty, and its fill goes on.
//   v7  sessions (KIP-227)        v9  leader epoch checked (KIP-320)     v11 the client's rack (KIP-392)
//   v12 divergence (KIP-595)      v13 topic ids (KIP-516)                v16 the new leader beside the error (KIP-951)
//
// A consumer that says its rack is sent to the replica there, if one is in sync, and is served by followers (KIP-392). A
// broker that keeps a copy gets what is written and not only what is committed; its epoch has to be that of its newest
// start (KIP-903), and what it asks for says how far it has come (R2).

import type { Image } from '../cluster/image.ts'
import { topicNamed } from '../cluster/image.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { fetchApi, type FetchRequest, type FetchResponse } from '../protocol/messages/fetch.ts'
import { type FetchingBroker, FetchRound } from './fetch-round.ts'
import { respond } from './fetch-response.ts'
import type { FetchSessions, FetchTarget, OpenedFetch } from './fetch-session.ts'
import type { Call, HandlerOf } from './handler.ts'
import type { PartitionContext } from './partition-context.ts'
import type { ReplyBudget } from './reply-budget.ts'

export interface FetchLimits {
  /** Bytes of one response, but for a single batch that is larger (`fetch.max.bytes`). */
  bytesMax(): number
  /** Milliseconds that a request may wait, whatever it asks for. */
  readonly waitMsMax: number
  /** Milliseconds that what is ready waits for what is still being read from the object store. */
  readonly coldGraceMs: number
}

export interface FetchContext extends PartitionContext {
  readonly replyBudget: ReplyBudget
  readonly fetchSessions: FetchSessions
  readonly fetchLimits: FetchLimits
}

export function fetch(context: FetchContext): HandlerOf<typeof fetchApi> {
  return {
    api: fetchApi,

    async handle(request, call) {
      const follower = followerOf(request)
      if (follower !== undefined && context.image.brokers.get(follower.brokerId)?.brokerEpoch !== follower.brokerEpoch) {
        return refused(ErrorCode.STALE_BROKER_EPOCH)
      }
      const opened = context.fetchSessions.open(request, call.version)
      if (typeof opened === 'number') return refused(opened)
      const unknown = call.version < 13 ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.UNKNOWN_TOPIC_ID
      const round = new FetchRound(context, { request, follower, unknown }, targetsOf(context.image, opened, call.version))
      call.onSent((isTaken) => round.release({ isReusable: isTaken }))
      await readUntilEnough(context, round, { request, call })
      if (follower === undefined && round.isTurnedAway) await context.othersKnow()
      return respond(context, opened, round.results)
    },

    refuse: (_request, code) => refused(code),
  }
}

/** The broker that asks, if one does. Those of before v15 did not say in which start they are, and are none of ours. */
function followerOf({ replicaId, replicaState }: FetchRequest): FetchingBroker | undefined {
  if (replicaId < 0 && replicaState.replicaId < 0) return undefined
  return { brokerId: Math.max(replicaId, replicaState.replicaId), brokerEpoch: replicaState.replicaEpoch }
}

function refused(errorCode: number): FetchResponse {
  return { errorCode, sessionId: 0, responses: [] }
}

/** Each target with its topic's id as of now: a topic that was deleted and made again is another one. */
function targetsOf(image: Image, { targets }: OpenedFetch, version: number): (readonly [FetchTarget, string | undefined])[] {
  return [...targets.values()].map((target) => {
    if (version < 13) return [target, topicNamed(image, target.topic)?.id]
    return [target, target.topicId]
  })
}

async function readUntilEnough(
  context: FetchContext, round: FetchRound, { request, call }: { request: FetchRequest; call: Call },
): Promise<void> {
  const waitMs = Math.max(Math.min(request.maxWaitMs, context.fetchLimits.waitMsMax), 0)
  const deadline = call.arrivedAt + waitMs
  const bytesMin = Math.min(request.minBytes, request.maxBytes, context.fetchLimits.bytesMax())
  for (;;) {
    const arrived = round.watch(bytesMin)
    // Whatever comes of it: a partition would tell everybody who ever listened of every append.
    try {
      await round.read(deadline)
      const left = deadline - context.clock.monotonic()
      if (round.hasError || round.bytes >= bytesMin || left <= 0 || call.signal.aborted) return
      await arrived.orAfter(left, call.signal)
    } finally {
      round.unwatch()
    }
  }
}
