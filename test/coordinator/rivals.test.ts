import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { commitOne, committed } from './asking.ts'
import { FailingTable, type Fault } from './failing-table.ts'
import { makeWorld, type World } from './world.ts'

const steps = fc.array(fc.record({
  broker: fc.constantFrom(0, 1, 2),
  what: fc.constantFrom('commit', 'commit', 'commit', 'read', 'delete', 'restart'),
  fault: fc.option(fc.constantFrom<Fault>('away', 'lost', 'dropped'), { freq: 3 }),
}), { maxLength: 50 })

/**
 * Three brokers that all take themselves for the coordinator, over a table that fails. What is read must be what was
 * acknowledged last, or something later whose outcome nobody knows.
 */
test('nothing that was acknowledged is lost, and nothing that was refused for good is found', async () => {
  await fc.assert(fc.asyncProperty(steps, async (history) => {
    const table = new FailingTable()
    const first = makeWorld({ table, brokerId: 0 })
    const { clock, topics } = first
    const again = (brokerId: number): World => makeWorld({ table, clock, topics, brokerId })
    const brokers = [first, again(1), again(2)]
    let possible = new Set<number | undefined>([undefined])
    let value = 0
    for (const { broker, what, fault } of history) {
      const world = brokers[broker]!
      if (what === 'restart') {
        world.groups.close()
        brokers[broker] = again(broker)
        continue
      }
      if (fault !== null && what !== 'read') table.faults.push(fault)
      if (what === 'read') {
        const found = await committed(world)
        if (found !== undefined && found < -1000) continue
        assert.ok(possible.has(found), `found ${found}, could be ${[...possible].join(', ')}`)
        possible = new Set([found])
      } else {
        const written = what === 'commit' ? ++value : undefined
        const answer = what === 'commit' ? await commitOne(world, value) : await world.groups.execute<ErrorCode>('g', { kind: 'deleteGroup' })
        const isDone = Array.isArray(answer) || answer === ErrorCode.NONE
        if (isDone) possible = new Set([written])
        else if (answer === ErrorCode.COORDINATOR_NOT_AVAILABLE) possible.add(written)
      }
      table.faults.length = 0
    }
  }), { numRuns: 300 })
})
