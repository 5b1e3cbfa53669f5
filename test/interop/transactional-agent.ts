// The agents (test/interop/agent.ts) as transactional clients: each producer, each reader and each consume-transform-produce
// loop is a process of its own.
//
//   {"do":"txnOpen","transactionalId":T,"timeoutMs":MS}      the agent's producer from now on
//   {"do":"txnBegin"}, {"do":"txnCommit"}, {"do":"txnAbort"}, {"do":"txnClose"}
//   {"do":"txnSend","topic":T,"records":[...]}               answered when all of them are acknowledged
//   {"do":"transform","from":T,"to":T,"group":G,"transactionalId":T,"count":N,"end":"commit"|"abort","protocol":P}
//   {"do":"join",...,"isolation":"read_committed"}

import { randomUUID } from 'node:crypto'
import type { ReceivedRecord } from '../cases/client.cases.ts'
import type { TransactionalLibrary } from '../cases/transaction.cases.ts'
import { Agent, type AgentProgram } from './agent.ts'

export interface TransactionalProgram extends Omit<AgentProgram, 'compressions'> {
  readonly fenced: RegExp
}

export function transactionalAgents({ fenced, ...rest }: TransactionalProgram, bootstrap: string): TransactionalLibrary {
  const program: AgentProgram = { ...rest, compressions: [] }
  const admin = new Agent(program, bootstrap)
  return {
    fenced,
    async createTopic(topic, partitions) {
      await admin.ask({ do: 'createTopic', topic, partitions })
    },
    async open(transactionalId, { timeoutMs = 60_000 } = {}) {
      const agent = new Agent(program, bootstrap)
      const ask = async (what: { readonly do: string } & Record<string, unknown>): Promise<void> => void (await agent.ask(what))
      await ask({ do: 'txnOpen', transactionalId, timeoutMs })
      return {
        begin: () => ask({ do: 'txnBegin' }),
        send: (topic, records) => ask({ do: 'txnSend', topic, records }),
        commit: () => ask({ do: 'txnCommit' }),
        abort: () => ask({ do: 'txnAbort' }),
        crash: () => agent.crash(),
        close: () => agent.end(),
      }
    },
    async read(topic, isolation) {
      const agent = new Agent(program, bootstrap)
      const received: ReceivedRecord[] = []
      agent.onRecord = (record) => received.push(record)
      await agent.ask({ do: 'join', group: `reader-${randomUUID()}`, topic, isolation, protocol: program.protocol, sessionTimeoutMs: 10_000 })
      return { received, close: () => agent.end() }
    },
    async transform(transform) {
      const agent = new Agent(program, bootstrap)
      try {
        await agent.ask({ do: 'transform', ...transform, protocol: program.protocol })
      } finally {
        await agent.end()
      }
    },
    close: () => admin.end(),
  }
}
