import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Producer } from '../../broker/coordinator/transactions/transaction.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { turn } from '../support/manual-clock.ts'
import { FailingTable, type Fault } from './failing-table.ts'
import { add, begin, end } from './transaction-asking.ts'
import { FakeBrokers, makeTransactionWorld, type TransactionWorld } from './transaction-world.ts'

const asks = ['add', 'add', 'add', 'add', 'add', 'commit', 'commit', 'abort']

const steps = fc.array(fc.record({
  broker: fc.constantFrom(0, 1, 2),
  what: fc.constantFrom(...asks, ...asks, 'begin', 'restart', 'wait', 'hold', 'go', 'go'),
  partition: fc.integer({ min: 0, max: 3 }),
  fault: fc.option(fc.constantFrom<Fault>('away', 'lost', 'dropped'), { freq: 3 }),
}), { minLength: 20, maxLength: 80 })

/** What one producer epoch has come to, as the client knows it: what was promised to be part of it, and how it said that it ended. */
interface Story {
  readonly added: Set<number>
  /** Asked for and neither confirmed nor refused: may be part of it. */
  readonly maybe: Set<number>
  asked: 'commit' | 'abort' | undefined
  promised: 'commit' | 'abort' | undefined
}

/**
 * Three brokers that all take themselves for the coordinator, over a table that fails, and a client that goes on with whatever it
 * was given last. However that goes: nobody hears both that a transaction commits and that it aborts; a commit that was promised is
 * what partitions hear, all of them, in the end; and nothing commits that nobody wanted to.
 */
test('a transaction ends in one way for everybody', async () => {
  await fc.assert(fc.asyncProperty(steps, async (history) => {
    const table = new FailingTable()
    const shared = new FakeBrokers()
    const first = makeTransactionWorld({ table, brokers: shared, brokerId: 0 })
    const { clock, topics, producerIds } = first
    const again = (brokerId: number): TransactionWorld => makeTransactionWorld({ table, clock, topics, brokers: shared, producerIds, brokerId })
    const worlds = [first, again(1), again(2)]
    const stories = new Map<string, Story>()
    let producer: Producer | undefined
    const storyOf = ({ producerId, producerEpoch }: Producer): Story => {
      const key = `${producerId}/${producerEpoch + 1}`
      let story = stories.get(key)
      if (story === undefined) stories.set(key, (story = { added: new Set(), maybe: new Set(), asked: undefined, promised: undefined }))
      return story
    }
    for (const { broker, what, partition, fault } of history) {
      const world = worlds[broker]!
      if (what === 'restart') {
        world.transactions.close()
        worlds[broker] = again(broker)
        worlds[broker].transactions.start()
      } else if (what === 'hold') shared.hold()
      else if (what === 'go') shared.go()
      else if (what === 'wait') await clock.advance(20_000)
      else {
        if (fault !== null) table.faults.push(fault)
        const ask = { what, partition, storyOf }
        producer = await step(world, { ...ask, producer })
        // Once more, for who was deposed loads what there is then.
        if (what !== 'begin') producer = await step(world, { ...ask, producer })
        table.faults.length = 0
      }
      await turn()
    }
    shared.go()
    for (const world of worlds) world.transactions.close()
    const last = again(1)
    last.transactions.start()
    await clock.advance(100_000)
    last.transactions.close()
    check(shared.heard, stories)
  }), { numRuns: 300 })
})

interface Step {
  readonly what: string
  readonly partition: number
  readonly producer: Producer | undefined
  storyOf(producer: Producer): Story
}

async function step(world: TransactionWorld, { what, partition, producer, storyOf }: Step): Promise<Producer | undefined> {
  if (what === 'begin' || producer === undefined) {
    const answer = await begin(world)
    return typeof answer === 'number' ? producer : answer
  }
  const story = storyOf(producer)
  // A client that has asked for an end asks for nothing but that until it is answered.
  if (story.asked !== undefined || what !== 'add') {
    story.asked ??= what === 'commit' ? 'commit' : 'abort'
    const answer = await end(world, producer, story.asked === 'commit')
    if (typeof answer === 'number') return answer === ErrorCode.PRODUCER_FENCED || answer === ErrorCode.INVALID_TXN_STATE ? undefined : producer
    story.promised = story.asked
    return answer
  }
  const answer = await add(world, producer, partition)
  if (answer === ErrorCode.NONE) story.added.add(partition)
  else story.maybe.add(partition)
  return producer
}

function check(heard: readonly string[], stories: ReadonlyMap<string, Story>): void {
  const outcomes = new Map<string, Map<string, Set<number>>>()
  for (const line of heard) {
    const [, partition, outcome, producer] = /^orders\/(\d): (commit|abort) (\S+) /.exec(line)!
    const byOutcome = outcomes.get(producer!) ?? new Map<string, Set<number>>()
    outcomes.set(producer!, byOutcome)
    byOutcome.set(outcome!, (byOutcome.get(outcome!) ?? new Set()).add(Number(partition)))
  }
  for (const [producer, byOutcome] of outcomes) {
    assert.equal(byOutcome.size, 1, `${producer} commits and aborts`)
    if (byOutcome.has('commit')) assert.equal(stories.get(producer)?.asked, 'commit', `nobody asked to commit ${producer}`)
  }
  for (const [producer, { added, maybe, promised }] of stories) {
    const told = [...outcomes.get(producer)?.values() ?? []].flatMap((partitions) => [...partitions])
    for (const partition of added) assert.ok(told.includes(partition), `${producer}: partition ${partition} was never told`)
    for (const partition of told) assert.ok(added.has(partition) || maybe.has(partition), `${producer}: ${partition} is no part of it`)
    if (promised !== undefined && told.length > 0) assert.ok(outcomes.get(producer)!.has(promised), `${producer} was promised to ${promised}`)
  }
}
