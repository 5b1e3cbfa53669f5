// Who reads while things go wrong. Each stays with the leader that it knows until that one refuses or is gone: so a leader
// that is deposed and does not know it gets asked, which is where stale answers would come from.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import type { History } from '../sim/check/history.ts'
import { WireClient } from '../test/support/wire-client.ts'
import type { Leaders } from './leaders.ts'
import { endFrom, fetchFrom, type TopicPlace } from './reads.ts'

const pauseMs = 100

abstract class Reader {
  readonly place: TopicPlace
  readonly history: History
  readonly #leaders: Leaders
  #wire: WireClient | undefined
  #isStopping = false
  #isOver = false
  #over: Promise<void> = Promise.resolve()

  constructor(place: TopicPlace, { leaders, history }: { readonly leaders: Leaders; readonly history: History }) {
    this.place = place
    this.#leaders = leaders
    this.history = history
  }

  start(): void {
    this.#over = this.#run().finally(() => (this.#isOver = true))
  }

  /** Why it is not done yet, in words. */
  get state(): string {
    return `${this.constructor.name} ${this.place.partition}: ${this.#isOver ? 'over' : 'reads'}`
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#over
    this.#wire?.close()
  }

  /** Whether the same leader is to be asked again. */
  protected abstract read(wire: WireClient): Promise<boolean>

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        const address = this.#leaders.of(this.place.partition)?.address
        if (this.#wire === undefined && address !== undefined) this.#wire = await WireClient.connect(address, 'reader')
        if (this.#wire !== undefined && (await this.read(this.#wire))) continue
      } catch {
        // Whoever it was is gone.
      }
      this.#wire?.close()
      this.#wire = undefined
      await sleep(pauseMs)
    }
  }
}

/** Reads along at the tail. */
export class Tail extends Reader {
  #offset = 0
  #session = 0

  protected async read(wire: WireClient): Promise<boolean> {
    const invokedAt = performance.now()
    const fetchOffset = this.#offset
    const { error, highWatermark, logStartOffset, records } = await fetchFrom(wire, this.place, { offset: fetchOffset, bytesMax: 262_144, waitMs: 500 })
    const { topicId, partition } = this.place
    this.history.polls.push({
      consumer: `tail-${partition}.${this.#session}`, topicId, partition, invokedAt, endedAt: performance.now(),
      fetchOffset, error, highWatermark, logStartOffset, records,
    })
    if (error === ErrorCode.OFFSET_OUT_OF_RANGE) {
      this.#offset = 0
      this.#session++
    }
    this.#offset = (records.at(-1)?.offset ?? this.#offset - 1) + 1
    await sleep(pauseMs)
    return error === ErrorCode.NONE
  }
}

/** Reads along what is committed. */
export class CommittedTail extends Reader {
  #offset = 0

  protected async read(wire: WireClient): Promise<boolean> {
    const invokedAt = performance.now()
    const asked = { offset: this.#offset, bytesMax: 262_144, waitMs: 500, isCommittedOnly: true }
    const { error, highWatermark, logStartOffset, records, lastStable, next } = await fetchFrom(wire, this.place, asked)
    const { topicId, partition } = this.place
    this.history.polls.push({
      consumer: `committed-${partition}`, topicId, partition, invokedAt, endedAt: performance.now(),
      fetchOffset: asked.offset, error, highWatermark, logStartOffset, records, lastStable,
    })
    if (error === ErrorCode.NONE) this.#offset = next
    await sleep(pauseMs)
    return error === ErrorCode.NONE
  }
}

/** Asks for the latest offset, which never is older than what was acknowledged before. */
export class Lister extends Reader {
  protected async read(wire: WireClient): Promise<boolean> {
    const invokedAt = performance.now()
    const { error, offset } = await endFrom(wire, { ...this.place, which: 'latest' })
    const { topicId, partition } = this.place
    if (error === ErrorCode.NONE) this.history.listings.push({ topicId, partition, which: 'latest', offset, invokedAt, endedAt: performance.now() })
    await sleep(pauseMs)
    return error === ErrorCode.NONE
  }
}
