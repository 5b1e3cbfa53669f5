import assert from 'node:assert/strict'
import { addGroupToTxn } from '../../broker/api/add-group-to-txn.ts'
import { addOffsetsToTxn } from '../../broker/api/add-offsets-to-txn.ts'
import { addPartitionsToTxn } from '../../broker/api/add-partitions-to-txn.ts'
import { describeTransactions } from '../../broker/api/describe-transactions.ts'
import { endTxn } from '../../broker/api/end-txn.ts'
import { initProducerId } from '../../broker/api/init-producer-id.ts'
import { listTransactions } from '../../broker/api/list-transactions.ts'
import { ProducerIds } from '../../broker/cluster/producer-ids.ts'
import { ErrorCode, errorName } from '../../broker/protocol/error-code.ts'
import { turn } from '../support/manual-clock.ts'
import { callOf } from './classic-script.ts'
import { makeTransactionWorld, type TransactionWorld, type TransactionWorldOptions } from './transaction-world.ts'

interface Client {
  producerId: number
  producerEpoch: number
}

/**
 * Runs a script of `> command` lines and returns it with what came of each command below it. Clients are single capitals with the
 * transactional id `t`, or what `id=` says; the producer that they were given last they send next, or what `as=` says.
 *
 *   > init A [v=5] [timeout=60000] [goes-on]     > add A orders/0 ... [v=3]      > leader A orders/0 ... [v=5]
 *   > verify A orders/0 ... [v=5]                > offsets A g [v=4]             > group A g [verify]
 *   > commit A [v=5]     > abort A [v=5]         > describe [id]                 > list [state=] [duration=] [pattern=] [producer=]
 *   > hold    > go       > wait 3000             > restart                       > refuse orders/0 CODE,CODE
*   > lead orders/0:2    > forget orders         > create orders:id
 */
export class TransactionScript {
  readonly #options: TransactionWorldOptions
  readonly #clients = new Map<string, Client>()
  readonly #trace: string[] = []
  #answers: string[] = []
  world: TransactionWorld

  constructor(options: TransactionWorldOptions = {}) {
    this.#options = options
    this.world = makeTransactionWorld(options)
  }

  async run(script: string): Promise<string> {
    for (const line of script.trim().split('\n').map((text) => text.trim())) {
      if (!line.startsWith('>')) continue
      this.#trace.push(line)
      const [verb, ...words] = line.slice(1).trim().split(/\s+/)
      void this.#step(verb!, words.filter((word) => !/^\w+=/.test(word)), new Map(words.filter((word) => /^\w+=/.test(word))
        .map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)])))
      if (verb === 'wait') await this.world.clock.advance(Number(words[0]))
      for (let count = 0; count < 5; count++) await turn()
      this.#trace.push(...[...this.#answers.splice(0), ...this.world.brokers.heard.splice(0)].map((answer) => `  ${answer}`))
    }
    return this.#trace.join('\n')
  }

  async #step(verb: string, words: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
    const [name = '', ...rest] = words
    const { brokers, topics } = this.world
    switch (verb) {
      case 'init': return this.#init(name, rest, options)
      case 'add': return this.#addAsBefore(name, rest, options)
      case 'leader': return this.#addAsLeader(name, rest, options, false)
      case 'verify': return this.#addAsLeader(name, rest, options, true)
      case 'offsets': return this.#offsets(name, rest[0]!, options)
      case 'group': return this.#group(name, rest, options)
      case 'commit': return this.#end(name, true, options)
      case 'abort': return this.#end(name, false, options)
      case 'describe': return this.#describe(name || 't')
      case 'list': return this.#list(options)
      case 'hold': return brokers.hold()
      case 'go': return brokers.go()
      case 'wait': return
      case 'restart': return this.#restart()
      case 'refuse': return void brokers.codes.set(name, rest[0]!.split(',').map((code) => ErrorCode[code as keyof typeof ErrorCode]))
      case 'forget': return topics.remove(name)
    }
    const [what, to] = name.split(':') as [string, string]
    if (verb === 'lead') return void brokers.leaders.set(what, to === 'nobody' ? undefined : Number(to))
    if (verb === 'create') return topics.put(what, 4, to)
    throw new Error(`no such verb: ${verb}`)
  }

  #restart(): void {
    this.world.transactions.close()
    const { clock, topics, table, brokers, producerIds } = this.world
    brokers.go()
    this.world = makeTransactionWorld({ ...this.#options, clock, topics, table, brokers, producerIds })
    this.world.transactions.start()
  }

  #say(answer: string): void {
    this.#answers.push(answer)
  }

  #client(name: string, options: ReadonlyMap<string, string>): Client & { readonly transactionalId: string } {
    let client = this.#clients.get(name)
    if (client === undefined) this.#clients.set(name, (client = { producerId: -1, producerEpoch: -1 }))
    const [producerId, producerEpoch] = options.get('as')?.split('/').map(Number) ?? [client.producerId, client.producerEpoch]
    return { producerId: producerId!, producerEpoch: producerEpoch!, transactionalId: options.get('id') ?? 't' }
  }

  async #init(name: string, words: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
    const { transactionalId, ...producer } = this.#client(name, options)
    const { table, transactions } = this.world
    const response = await initProducerId(new ProducerIds({ table, blockLength: 10, attemptsMax: 2 }), transactions).handle({
      transactionalId, transactionTimeoutMs: Number(options.get('timeout') ?? 60_000),
      ...(words.includes('goes-on') ? producer : { producerId: -1, producerEpoch: -1 }),
    }, callOf(Number(options.get('v') ?? 5)))
    this.#producerCame(name, 'init', response as Client & { errorCode: number })
  }

  #producerCame(name: string, verb: string, { errorCode, producerId, producerEpoch }: Client & { readonly errorCode: number }): void {
    if (errorCode !== 0) return this.#say(`${name} ${verb}: ${errorName(errorCode)}`)
    Object.assign(this.#clients.get(name)!, { producerId, producerEpoch })
    this.#say(`${name} ${verb}: ${producerId}/${producerEpoch}`)
  }

  async #addAsBefore(name: string, words: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#client(name, options)
    const response = await addPartitionsToTxn(this.world.transactions).handle({
      transactions: [], v3AndBelowTransactionalId: transactionalId, v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch, v3AndBelowTopics: topicsOf(words),
    }, callOf(Number(options.get('v') ?? 3)))
    this.#say(`${name} add: ${codes(response!.resultsByTopicV3AndBelow!)}`)
  }

  async #addAsLeader(name: string, words: readonly string[], options: ReadonlyMap<string, string>, verifyOnly: boolean): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#client(name, options)
    const response = await addPartitionsToTxn(this.world.transactions).handle({
      transactions: [{ transactionalId, producerId, producerEpoch, verifyOnly, topics: topicsOf(words) }],
      v3AndBelowTransactionalId: '', v3AndBelowProducerId: 0, v3AndBelowProducerEpoch: 0, v3AndBelowTopics: [],
    }, callOf(Number(options.get('v') ?? 5)))
    assert.equal(response!.errorCode, ErrorCode.NONE)
    this.#say(`${name} ${verifyOnly ? 'verify' : 'leader'}: ${codes(response!.resultsByTransaction![0]!.topicResults)}`)
  }

  async #offsets(name: string, groupId: string, options: ReadonlyMap<string, string>): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#client(name, options)
    const request = { transactionalId, producerId, producerEpoch, groupId }
    const response = await addOffsetsToTxn(this.world.transactions).handle(request, callOf(Number(options.get('v') ?? 4)))
    this.#say(`${name} offsets: ${errorName(response!.errorCode)}`)
  }

  async #group(name: string, [groupId, verify]: readonly string[], options: ReadonlyMap<string, string>): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#client(name, options)
    const request = { transactionalId, producerId, producerEpoch, groupId: groupId!, verifyOnly: verify !== undefined }
    const response = await addGroupToTxn(this.world.transactions).handle(request, callOf(0))
    this.#say(`${name} group: ${errorName(response!.errorCode)}`)
  }

  async #end(name: string, committed: boolean, options: ReadonlyMap<string, string>): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#client(name, options)
    const version = Number(options.get('v') ?? 5)
    const request = { transactionalId, producerId, producerEpoch, committed }
    const response = await endTxn(this.world.transactions).handle(request, callOf(version)) as Client & { readonly errorCode: number }
    const verb = committed ? 'commit' : 'abort'
    if (version >= 5) this.#producerCame(name, verb, response)
    else this.#say(`${name} ${verb}: ${errorName(response.errorCode)}`)
  }

  async #describe(transactionalId: string): Promise<void> {
    const response = await describeTransactions(this.world.transactions).handle({ transactionalIds: [transactionalId] }, callOf(0))
    const { errorCode, transactionState, transactionTimeoutMs, transactionStartTimeMs, producerId, producerEpoch, topics } = response!.transactionStates[0]!
    if (errorCode !== 0) return this.#say(`describe: ${errorName(errorCode)}`)
    const partitions = topics.flatMap(({ topic, partitions: numbers }) => numbers.map((partition) => `${topic}/${partition}`))
    const began = transactionStartTimeMs < 0 ? 'never' : `${this.world.clock.now() - transactionStartTimeMs} ms ago`
    this.#say(`describe: ${[transactionState, `${producerId}/${producerEpoch}`, `timeout ${transactionTimeoutMs}`, `began ${began}`, ...partitions].join(' ')}`)
  }

  async #list(options: ReadonlyMap<string, string>): Promise<void> {
    const split = (name: string) => options.get(name)?.split(',') ?? []
    const { errorCode, unknownStateFilters, transactionStates } = (await listTransactions(this.world.transactions, this.world.clock).handle({
      stateFilters: split('state'), producerIdFilters: split('producer').map(Number), durationFilter: Number(options.get('duration') ?? -1),
      transactionalIdPattern: options.get('pattern') ?? null,
    }, callOf(2)))!
    if (errorCode !== 0) return this.#say(`list: ${errorName(errorCode)}`)
    const found = transactionStates.map(({ transactionalId, producerId, transactionState }) => `${transactionalId} ${producerId} ${transactionState}`)
    this.#say(`list: ${found.sort().join(', ') || 'nothing'}${unknownStateFilters.length === 0 ? '' : `, not ${unknownStateFilters.join(' ')}`}`)
  }
}

function topicsOf(words: readonly string[]): { name: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const word of words) {
    const [name, partition] = word.split('/') as [string, string]
    topics.set(name, [...topics.get(name) ?? [], Number(partition)])
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

function codes(results: readonly { readonly resultsByPartition: readonly { readonly partitionErrorCode: number }[] }[]): string {
  return results.flatMap(({ resultsByPartition }) => resultsByPartition.map(({ partitionErrorCode }) => errorName(partitionErrorCode))).join(' ')
}
