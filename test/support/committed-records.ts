// What a read_committed client sees of a partition, by none but our own reading of the protocol: batches up to the last
// stable offset, without those of transactions that the broker lists as aborted. Beside it, what the markers in the same
// batches say, which has to be the same (KIP-98).

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { listOffsetsApi } from '../../broker/protocol/messages/list-offsets.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { batchesIn, type RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { type ReadRecord, recordsIn } from './record-batches.ts'
import { ErrorAnswer } from './topic-reader.ts'
import { WireClient } from './wire-client.ts'

export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

export interface Ends {
  /** Nothing from here on is seen by a read_committed client. */
  readonly lastStable: number
  readonly high: number
}

interface Leader {
  readonly topicId: string
  readonly address: string
}

const bytesMax = 4 << 20

/** Rejects where nobody leads, or the first address does not answer; nothing is tried twice. */
export async function leaderOf(bootstrap: string, { topic, partition }: PartitionPlace): Promise<Leader> {
  const wire = await WireClient.connect(bootstrap.split(',')[0]!)
  try {
    const { brokers, topics: [found] } = await wire.call(metadataApi, {
      topics: [{ name: topic }], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    }, { timeoutMs: 5_000 })
    const at = found?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
    const leader = brokers.find(({ nodeId }) => nodeId === at?.leaderId)
    if (leader === undefined) throw new ErrorAnswer(`leader of ${topic}-${partition}`, at?.errorCode ?? found?.errorCode ?? -1)
    return { topicId: found!.topicId, address: `${leader.host}:${leader.port}` }
  } finally {
    wire.close()
  }
}

async function atLeader<T>(bootstrap: string, place: PartitionPlace, ask: (wire: WireClient, leader: Leader) => Promise<T>): Promise<T> {
  const leader = await leaderOf(bootstrap, place)
  const wire = await WireClient.connect(leader.address)
  try {
    return await ask(wire, leader)
  } finally {
    wire.close()
  }
}

/** Where a partition ends for each level of isolation. */
export function endsOf(bootstrap: string, place: PartitionPlace): Promise<Ends> {
  return atLeader(bootstrap, place, async (wire) => {
    const lastStable = await offsetNamed(wire, { ...place, timestamp: -1, isolationLevel: 1 })
    return { lastStable, high: await offsetNamed(wire, { ...place, timestamp: -1, isolationLevel: 0 }) }
  })
}

/** Where a partition begins, and from where on the leader's disk has it. */
export function startsOf(bootstrap: string, place: PartitionPlace): Promise<{ readonly log: number; readonly local: number }> {
  return atLeader(bootstrap, place, async (wire) => {
    const log = await offsetNamed(wire, { ...place, timestamp: -2, isolationLevel: 0 })
    return { log, local: await offsetNamed(wire, { ...place, timestamp: -4, isolationLevel: 0 }) }
  })
}

async function offsetNamed(
  wire: WireClient, { topic, partition, timestamp, isolationLevel }: PartitionPlace & { readonly timestamp: number; readonly isolationLevel: number },
): Promise<number> {
  const { topics: [of] } = await wire.call(listOffsetsApi, {
    replicaId: -1, isolationLevel, timeoutMs: 5_000, topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  }, { timeoutMs: 5_000 })
  const found = of?.partitions[0]
  if (found === undefined || found.errorCode !== ErrorCode.NONE) throw new ErrorAnswer(`offset of ${topic}-${partition}`, found?.errorCode ?? -1)
  return found.offset
}

export interface Committed {
  readonly records: readonly ReadRecord[]
  /** Offsets of batches of which the broker's list and the markers say different things. */
  readonly disputed: readonly number[]
}

/** All of a partition up to where it is stable now. */
export function committedRecords(bootstrap: string, place: PartitionPlace): Promise<Committed> {
  return atLeader(bootstrap, place, async (wire, { topicId }) => {
    const view = new CommittedView()
    let offset = await offsetNamed(wire, { ...place, timestamp: -2, isolationLevel: 0 })
    for (let isStable = true; ; ) {
      const { responses: [topic] } = await wire.call(fetchApi, {
        maxWaitMs: 100, minBytes: 1, maxBytes: bytesMax, isolationLevel: isStable ? 1 : 0, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: '',
        topics: [{ topic: '', topicId, partitions: [{ partition: place.partition, fetchOffset: offset, partitionMaxBytes: bytesMax }] }],
      })
      const found = topic?.partitions[0]
      if (found === undefined || found.errorCode !== ErrorCode.NONE) throw new ErrorAnswer(`fetch at ${offset}`, found?.errorCode ?? -1)
      const batches = [...batchesIn(found.records ?? Buffer.alloc(0))].filter(({ endOffset }) => endOffset > offset)
      if (isStable) view.add(batches, found.abortedTransactions ?? [])
      else view.addBehind(batches)
      offset = batches.at(-1)?.endOffset ?? offset
      if (batches.length > 0 || offset < (isStable ? found.lastStableOffset : found.highWatermark)) continue
      if (!isStable || !view.hasOpen) return view.finish()
      isStable = false
    }
  })
}

interface Aborted {
  readonly producerId: number
  readonly firstOffset: number
}

/** Exported for its own test. */
export class CommittedView {
  /** Producers whose transaction at the place that was read is listed as aborted. */
  readonly #listed = new Set<number>()
  /** Batches of each producer that no marker has come for, and whether they were taken for committed. */
  readonly #open = new Map<number, { readonly baseOffset: number; readonly isTaken: boolean }[]>()
  readonly #records: ReadRecord[] = []
  readonly #disputed: number[] = []

  add(batches: readonly RecordBatch[], aborted: readonly Aborted[]): void {
    const waiting = aborted.toSorted((one, other) => one.firstOffset - other.firstOffset)
    for (const batch of batches) {
      while (waiting.length > 0 && waiting[0]!.firstOffset <= batch.lastOffset) this.#listed.add(waiting.shift()!.producerId)
      if (batch.isControl) this.#mark(batch)
      else this.#take(batch)
    }
  }

  /**
   * Behind the stable end: there are markers of transactions that began before it, where another one that is open made it end
   * there. Records are nobody's yet.
   */
  addBehind(batches: readonly RecordBatch[]): void {
    for (const batch of batches) if (batch.isControl) this.#mark(batch)
  }

  /** Whether markers are missing. */
  get hasOpen(): boolean {
    return this.#open.size > 0
  }

  /** What no marker has come for was not committed, whatever was taken for it. */
  finish(): Committed {
    for (const open of this.#open.values()) this.#disputed.push(...open.filter(({ isTaken }) => isTaken).map(({ baseOffset }) => baseOffset))
    return { records: this.#records, disputed: this.#disputed }
  }

  #take(batch: RecordBatch): void {
    const isTaken = !(batch.isTransactional && this.#listed.has(batch.producerId))
    if (isTaken) this.#records.push(...recordsIn(batch))
    if (!batch.isTransactional) return
    const { baseOffset, producerId } = batch
    const open = this.#open.get(producerId) ?? []
    this.#open.set(producerId, open)
    open.push({ baseOffset, isTaken })
  }

  #mark(batch: RecordBatch): void {
    for (const { key } of recordsOf(batch, { bytesMax })) {
      // version 2 | kind 2: 0 aborts, 1 commits
      const kind = key?.readInt16BE(2)
      if (kind !== 0 && kind !== 1) continue
      if (kind === 0) this.#listed.delete(batch.producerId)
      for (const { baseOffset, isTaken } of this.#open.get(batch.producerId) ?? []) if (isTaken !== (kind === 1)) this.#disputed.push(baseOffset)
      this.#open.delete(batch.producerId)
    }
  }
}
