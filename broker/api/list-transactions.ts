// ListTransactions, v0-v2: the transactions that this broker coordinates (KIP-664); a client asks all brokers.
//
//   v1  those that began longer ago than a while (KIP-994)     v2  those whose whole ids match a pattern of RE2 (KIP-1152)

import { Program, StepBudget } from '../coordinator/consumer/regex/program.ts'
import { InvalidRegex } from '../coordinator/consumer/regex/syntax.ts'
import { patternCharactersMax, stepsMax } from '../coordinator/consumer/regex/topic-pattern.ts'
import type { Transaction } from '../coordinator/transactions/transaction.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { listTransactionsApi, type ListTransactionsRequest } from '../protocol/messages/list-transactions.ts'
import type { Clock } from '../runtime/clock.ts'
import type { HandlerOf } from './handler.ts'

/** Those of Kafka: one that we have no use for is known nevertheless. */
const states: ReadonlySet<string> = new Set([
  'Empty', 'Ongoing', 'PrepareCommit', 'PrepareAbort', 'CompleteCommit', 'CompleteAbort', 'Dead', 'PrepareEpochFence',
])

export function listTransactions(transactions: Transactions, clock: Clock): HandlerOf<typeof listTransactionsApi> {
  return {
    api: listTransactionsApi,

    async handle(request) {
      const unknownStateFilters = request.stateFilters.filter((state) => !states.has(state))
      const refusal = (errorCode: number) => ({ errorCode, unknownStateFilters: [], transactionStates: [] })
      const found = await transactions.list()
      if (typeof found === 'number') return refusal(found)
      const matching = matchingIds(found.filter(filterOf(request, clock.now())), request.transactionalIdPattern)
      if (matching === undefined) return refusal(ErrorCode.INVALID_REGULAR_EXPRESSION)
      return {
        errorCode: ErrorCode.NONE, unknownStateFilters,
        transactionStates: matching.map(({ transactionalId, producerId, state: transactionState }) =>
          ({ transactionalId, producerId, transactionState })),
      }
    },

    refuse: (_request, errorCode) => ({ errorCode, unknownStateFilters: [], transactionStates: [] }),
  }
}

/** As Kafka does, a producer without a transaction counts as one that has run for ever. */
function filterOf(
  { stateFilters, producerIdFilters, durationFilter }: ListTransactionsRequest, now: number,
): (transaction: Transaction) => boolean {
  const [ofStates, ofProducers] = [new Set(stateFilters), new Set(producerIdFilters)]
  return ({ state, producerId, startedAt }) =>
    (ofStates.size === 0 || ofStates.has(state)) &&
    (ofProducers.size === 0 || ofProducers.has(producerId)) &&
    (durationFilter < 0 || now - startedAt > durationFilter)
}

/** Undefined: the pattern is none, or takes too long. */
function matchingIds(found: readonly Transaction[], pattern: string | null): readonly Transaction[] | undefined {
  if (pattern === null || pattern === '') return found
  if (pattern.length > patternCharactersMax) return undefined
  try {
    const program = new Program(pattern)
    const budget = new StepBudget(stepsMax)
    const matching: Transaction[] = []
    for (const transaction of found) {
      if (program.matches(inAscii(transaction.transactionalId), budget)) matching.push(transaction)
      if (budget.isSpent) return undefined
    }
    return matching
  } catch (error) {
    if (error instanceof InvalidRegex) return undefined
    throw error
  }
}

/** Patterns are over ASCII: whatever is not is one character that only stands for itself in no pattern. */
function inAscii(transactionalId: string): string {
  return transactionalId.replace(/[^\x00-\x7f]/gu, '\x7f')
}
