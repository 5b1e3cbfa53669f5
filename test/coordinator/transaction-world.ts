import type { CoordinatorDirectory } from '../../broker/coordinator/directory.ts'
import { audienceOf, type AskInLane } from '../../broker/coordinator/transactions/audience.ts'
import {
  defaultTransactionLimits, defaultTransactionSettings, type TransactionLimits, type TransactionSettings,
} from '../../broker/coordinator/transactions/transaction-settings.ts'
import { Transactions } from '../../broker/coordinator/transactions/transactions.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import type { EndTxnOffsetsRequest } from '../../broker/protocol/internal/txn-group.ts'
import type { WriteTxnMarkersRequest } from '../../broker/protocol/messages/write-txn-markers.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import type { Table } from '../../broker/table/table.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { FakeTopics } from './fake-topics.ts'
import { CountingRandom } from './world.ts'

export interface TransactionWorldOptions {
  readonly table?: Table
  readonly clock?: ManualClock
  readonly topics?: FakeTopics
  readonly brokerId?: number
  readonly brokers?: FakeBrokers
  readonly producerIds?: { next: number }
  readonly settings?: Partial<TransactionSettings>
  readonly limits?: Partial<TransactionLimits>
}

/** The brokers that are asked: they note what they were told, and answer what a test says. */
export class FakeBrokers {
  /** What they were told, in words. */
  readonly heard: string[] = []
  /** Requests to each broker, in the order of their arrival: how many targets each had. */
  readonly requests: { readonly brokerId: number; readonly lane: string; readonly targets: number }[] = []
  /** Answers of a partition or a group, by its name; each is used once. */
  readonly codes = new Map<string, ErrorCode[]>()
  /** Leaders of partitions that are not led by broker 1, by name; undefined: nobody leads. */
  readonly leaders = new Map<string, number | undefined>()
  /** Brokers that do not answer. */
  readonly silent = new Set<number>()
  #held: (() => void)[] | undefined

  /** Nothing is answered until `go`. */
  hold(): void {
    this.#held ??= []
  }

  go(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const resume of held) resume()
  }

  readonly ask: AskInLane = async (lane, brokerId, api, request) => {
    const answer = api.name === 'WriteTxnMarkers'
      ? this.#mark(lane, brokerId, request as unknown as WriteTxnMarkersRequest)
      : this.#end(lane, brokerId, request as unknown as EndTxnOffsetsRequest)
    if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held!.push(resolve))
    if (this.silent.has(brokerId)) throw new Error(`broker ${brokerId} does not answer`)
    return answer() as never
  }

  #mark(lane: string, brokerId: number, { markers }: WriteTxnMarkersRequest) {
    this.requests.push({ brokerId, lane, targets: markers.flatMap(({ topics }) => topics.flatMap((one) => one.partitionIndexes)).length })
    return () => ({
      markers: markers.map(({ producerId, producerEpoch, transactionResult, coordinatorEpoch, transactionVersion, topics }) => ({
        producerId,
        topics: topics.map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => {
            const errorCode = this.#codeOf(`${name}/${partitionIndex}`)
            const what = `${transactionResult ? 'commit' : 'abort'} ${producerId}/${producerEpoch} v${transactionVersion} by ${coordinatorEpoch}`
            this.heard.push(`${name}/${partitionIndex}: ${what}${errorCode === 0 ? '' : ' refused'}`)
            return { partitionIndex, errorCode }
          }),
        })),
      })),
    })
  }

  #end(lane: string, brokerId: number, { groupId, producerId, producerEpoch, committed, coordinatorEpoch }: EndTxnOffsetsRequest) {
    this.requests.push({ brokerId, lane, targets: 1 })
    return () => {
      const errorCode = this.#codeOf(groupId)
      const what = `${committed ? 'commit' : 'abort'} ${producerId}/${producerEpoch} by ${coordinatorEpoch}`
      this.heard.push(`${groupId}: ${what}${errorCode === 0 ? '' : ' refused'}`)
      return { errorCode }
    }
  }

  #codeOf(name: string): ErrorCode {
    return this.codes.get(name)?.shift() ?? ErrorCode.NONE
  }
}

/** One transaction coordinator that owns everything, with time, topics, table and the brokers around it in the test's hands. */
export function makeTransactionWorld(options: TransactionWorldOptions = {}) {
  const clock = options.clock ?? new ManualClock()
  const topics = options.topics ?? new FakeTopics({ orders: 4, payments: 2 })
  const table = options.table ?? new MemoryTable()
  const brokers = options.brokers ?? new FakeBrokers()
  const producerIds = options.producerIds ?? { next: 100 }
  const brokerId = options.brokerId ?? 1
  const directory: CoordinatorDirectory = { brokerId, ownerOf: () => ({ nodeId: brokerId, host: 'localhost', port: 9092 }) }
  const settings = { ...defaultTransactionSettings, ...options.settings }
  // Tests that are not about patience want answers in the same moment.
  const limits = { ...defaultTransactionLimits, patienceMs: { alone: 0, besideOthers: 0 }, ...options.limits }
  const transactions = new Transactions({
    table, clock, topics, directory, limits,
    random: new CountingRandom(),
    logger: silentLogger,
    settings: () => settings,
    newProducerId: async () => producerIds.next++,
    audience: audienceOf({
      topics, directory, ask: brokers.ask, timeoutMs: limits.telling.timeoutMs,
      leaderOf: (topicId, partition) => {
        const name = `${topics.byId(topicId)!.name}/${partition}`
        return brokers.leaders.has(name) ? brokers.leaders.get(name) : 1
      },
    }),
  })
  return { clock, topics, table, brokers, producerIds, directory, settings, transactions }
}

export type TransactionWorld = ReturnType<typeof makeTransactionWorld>
