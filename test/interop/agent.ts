// Clients that are not written in JavaScript take part in the same cases as those that are: each is a small program,
// an agent, that obeys lines of JSON on its input and answers with lines of JSON.
//
//   {"id":1,"do":"createTopic","topic":T,"partitions":N}                            -> {"id":1}
//   {"id":2,"do":"produce","topic":T,"records":[...],"compression":C,"idempotent":B} -> {"id":2}
//   {"id":3,"do":"read","topic":T,"partition":P,"offset":O,"count":N}               -> {"id":3,"records":[...]}
//   {"id":4,"do":"offsetsForTime","topic":T,"timestamp":MS}                         -> {"id":4,"offsets":{"0":O}}
//   {"id":5,"do":"join","group":G,"topic":T,"protocol":P,"sessionTimeoutMs":MS}     -> {"id":5}
//       "pattern":R in place of "topic": what matches a regular expression
//   {"id":6,"do":"commit","topic":T,"offsets":{"0":O}}                              -> {"id":6}
//   {"id":7,"do":"leave"}                                                           -> {"id":7}
//
// A refusal is {"id":N,"error":TEXT}. A member also says {"partitions":[...]} or {"partitions":null} when its assignment
// changes, and {"record":{...}} for each record. An agent has at most one member, and ends when its input ends.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { ClientLibrary, CrashingMember, Member, MemberOptions, ReceivedRecord } from '../cases/client.cases.ts'

export interface AgentProgram {
  readonly command: string
  /** The bootstrap address is added as the last one. */
  readonly args: readonly string[]
  readonly compressions: readonly string[]
  /** The group protocol of its members: classic, or that of KIP-848. */
  readonly protocol: 'classic' | 'consumer'
}

interface Answer {
  readonly id?: number
  readonly error?: string
  readonly records?: ReceivedRecord[]
  readonly offsets?: Record<string, number>
  readonly partitions?: number[] | null
  readonly record?: ReceivedRecord
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

const answerWithinMs = 60_000

export class Agent {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Map<number, Waiting>()
  readonly #complaints: string[] = []
  #nextId = 1
  onRecord: (record: ReceivedRecord) => void = () => {}
  partitions: readonly number[] | undefined

  constructor(program: AgentProgram, bootstrap: string) {
    const child = spawn(program.command, [...program.args, bootstrap], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process = child
    child.stdin.on('error', () => {})
    child.on('error', (error) => this.#fail(`${program.command}: ${error.message}`))
    child.on('exit', (code, signal) => this.#fail(`${program.command} ended with ${code ?? signal}`))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#hear(JSON.parse(line) as Answer)
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#complaints.push(line)
      this.#complaints.splice(0, this.#complaints.length - 30)
    })
  }

  ask(what: { readonly do: string } & Record<string, unknown>): Promise<Answer> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer to ${what.do} within ${answerWithinMs} ms\n${this.#complaints.join('\n')}`)),
        answerWithinMs,
      )
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer)
          this.#waiting.delete(id)
          then(value)
        }
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) })
      this.#process.stdin.write(`${JSON.stringify({ id, ...what })}\n`)
    })
  }

  #hear(answer: Answer): void {
    if (answer.record !== undefined) this.onRecord(answer.record)
    else if (answer.partitions !== undefined) this.partitions = answer.partitions ?? undefined
    else if (answer.id !== undefined) {
      const waiting = this.#waiting.get(answer.id)
      if (answer.error === undefined) waiting?.resolve(answer)
      else waiting?.reject(new Error(`${answer.error}\n${this.#complaints.join('\n')}`))
    }
  }

  #fail(why: string): void {
    for (const { reject } of [...this.#waiting.values()]) reject(new Error(`${why}\n${this.#complaints.join('\n')}`))
  }

  crash(): void {
    this.#process.kill('SIGKILL')
  }

  async end(): Promise<void> {
    const exited = new Promise((resolve) => this.#process.once('exit', resolve))
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.stdin.end()
    const force = setTimeout(() => this.crash(), 10_000)
    await exited
    clearTimeout(force)
  }
}

async function joined(
  agent: Agent,
  program: AgentProgram,
  { group, topic, onRecord, sessionTimeoutMs = 10_000 }: MemberOptions,
): Promise<Agent> {
  agent.onRecord = onRecord
  await agent.ask({ do: 'join', group, topic, protocol: program.protocol, sessionTimeoutMs })
  return agent
}

export function agentLibrary(program: AgentProgram, bootstrap: string): ClientLibrary {
  const agent = new Agent(program, bootstrap)
  const members = new WeakMap<Member, Agent>()
  return {
    compressions: program.compressions,
    async createTopic(topic, partitions) {
      await agent.ask({ do: 'createTopic', topic, partitions })
    },
    async produce(topic, records, { compression = 'none', isIdempotent = false } = {}) {
      await agent.ask({ do: 'produce', topic, compression, idempotent: isIdempotent, records })
    },
    async readFrom(topic, from) {
      return (await agent.ask({ do: 'read', topic, ...from })).records ?? []
    },
    async offsetsForTime(topic, timestamp) {
      const { offsets = {} } = await agent.ask({ do: 'offsetsForTime', topic, timestamp })
      return new Map(
        Object.entries(offsets)
          .map(([partition, offset]) => [Number(partition), offset] as const)
          .sort(([one], [other]) => one - other),
      )
    },
    async join(options) {
      const of = await joined(new Agent(program, bootstrap), program, options)
      const member: Member = {
        get partitions() {
          return of.partitions
        },
        async leave() {
          await of.ask({ do: 'leave' })
          await of.end()
        },
      }
      members.set(member, of)
      return member
    },
    async commit(member, topic, offsets) {
      await members.get(member)!.ask({ do: 'commit', topic, offsets: Object.fromEntries(offsets) })
    },
    close: () => agent.end(),
  }
}

export function agentToCrash(program: AgentProgram, bootstrap: string, options: MemberOptions): Promise<CrashingMember> {
  return joined(new Agent(program, bootstrap), program, options)
}
