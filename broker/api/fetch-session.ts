// Incremental fetch sessions (KIP-227): the broker remembers which partitions a client fetches, so that a request names
// only what changed and a response only what is new.
//
//   id 0, epoch 0    a full request that would like a session        id n, epoch 0    ends n, likewise
//   id 0, epoch -1   a full request without one                      id n, epoch -1   ends n, without one
//   id n, epoch m    the m-th request of session n; the epochs wrap from 2^31-1 to 1

import { ErrorCode } from '../protocol/error-code.ts'
import type { FetchRequest } from '../protocol/messages/fetch.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random, Uuid } from '../runtime/random.ts'

/** One partition that a client fetches, and what it was told last. */
export interface FetchTarget {
  readonly topic: string
  readonly topicId: Uuid
  readonly partition: number
  fetchOffset: number
  bytesMax: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  /** -1: nothing was told yet. */
  toldHighWatermark: number
  toldLogStartOffset: number
  /** The client knows of an error only from the response that carried it, so that one is sent again. */
  hadError: boolean
}

export interface FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  /** The epoch that the next request must carry. */
  nextEpoch: number
  lastUsedAt: number
  /** In the order in which they are read: who got something goes to the end. */
  readonly targets: Map<string, FetchTarget>
}

export interface OpenedFetch {
  /** Undefined: a full request without a session. */
  readonly session: FetchSession | undefined
  readonly isIncremental: boolean
  readonly targets: Map<string, FetchTarget>
}

export interface FetchSessionsOptions {
  readonly clock: Clock
  readonly random: Random
  /** Sessions that are kept (`max.incremental.fetch.session.cache.slots`). */
  sessionsMax(): number
  /** A session that was not used for so many milliseconds may be given up for a new one. */
  readonly evictableAfterMs: number
}

export class FetchSessions {
  readonly #options: FetchSessionsOptions
  readonly #sessions = new Map<number, FetchSession>()

  constructor(options: FetchSessionsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#sessions.size
  }

  /** What a request asks for with its session, or the code that refuses it. */
  open(request: FetchRequest, version: number): OpenedFetch | number {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch > 0) return this.#resume(request, version)
    if (sessionId !== 0) this.#sessions.delete(sessionId)
    const targets = new Map<string, FetchTarget>()
    addTargets(targets, request, version)
    const session = sessionEpoch === 0 && targets.size > 0 ? this.#create(targets, version >= 13) : undefined
    return { session, isIncremental: false, targets }
  }

  #resume(request: FetchRequest, version: number): OpenedFetch | number {
    const session = this.#sessions.get(request.sessionId)
    if (session === undefined) return ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    if (session.nextEpoch !== request.sessionEpoch) return ErrorCode.INVALID_FETCH_SESSION_EPOCH
    if (session.usesTopicIds !== version >= 13) return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    session.nextEpoch = request.sessionEpoch === 0x7fff_ffff ? 1 : request.sessionEpoch + 1
    session.lastUsedAt = this.#options.clock.monotonic()
    // To the end: the first of the map is the one that was not used for the longest time.
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const partition of partitions) session.targets.delete(targetKey(version >= 13 ? topicId : topic, partition))
    }
    addTargets(session.targets, request, version)
    return { session, isIncremental: true, targets: session.targets }
  }

  #create(targets: Map<string, FetchTarget>, usesTopicIds: boolean): FetchSession | undefined {
    const now = this.#options.clock.monotonic()
    if (this.#sessions.size >= this.#options.sessionsMax() && !this.#evict(now)) return undefined
    let id = 0
    while (id === 0 || this.#sessions.has(id)) id = this.#options.random.bytes(4).readUInt32BE() & 0x7fff_ffff
    const session: FetchSession = { id, usesTopicIds, nextEpoch: 1, lastUsedAt: now, targets }
    this.#sessions.set(id, session)
    return session
  }

  #evict(now: number): boolean {
    const [oldest] = this.#sessions.values()
    if (oldest === undefined || now - oldest.lastUsedAt < this.#options.evictableAfterMs) return false
    return this.#sessions.delete(oldest.id)
  }
}

export function targetKey(topic: string, partition: number): string {
  return `${topic}:${partition}`
}

function addTargets(targets: Map<string, FetchTarget>, request: FetchRequest, version: number): void {
  for (const { topic, topicId, partitions } of request.topics) {
    for (const asked of partitions) {
      const key = targetKey(version >= 13 ? topicId : topic, asked.partition)
      const known = targets.get(key)
      if (known !== undefined) {
        known.fetchOffset = asked.fetchOffset
        known.bytesMax = asked.partitionMaxBytes
        known.currentLeaderEpoch = asked.currentLeaderEpoch
        known.lastFetchedEpoch = asked.lastFetchedEpoch
        continue
      }
      targets.set(key, {
        topic, topicId, partition: asked.partition, fetchOffset: asked.fetchOffset, bytesMax: asked.partitionMaxBytes,
        currentLeaderEpoch: asked.currentLeaderEpoch, lastFetchedEpoch: asked.lastFetchedEpoch,
        toldHighWatermark: -1, toldLogStartOffset: -1, hadError: false,
      })
    }
  }
}
