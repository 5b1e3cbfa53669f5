import assert from 'node:assert/strict'
import { test } from 'node:test'
import { within } from '../../broker/runtime/clock.ts'
import { ManualClock, turn } from '../support/manual-clock.ts'

test('whoever waits within a limit goes on at the event or at the limit, whichever is first', async () => {
  const clock = new ManualClock()
  const event = Promise.withResolvers<void>()
  const over: string[] = []
  void within(clock, 10, event.promise).then(() => over.push('ten'))
  void within(clock, 20, event.promise).then(() => over.push('twenty'))
  await clock.advance(10)
  await turn()
  assert.deepEqual(over, ['ten'])
  event.resolve()
  await turn()
  assert.deepEqual(over, ['ten', 'twenty'])
})

test('whoever waits within a limit hears of a failure', async () => {
  await assert.rejects(within(new ManualClock(), 10, Promise.reject(new Error('no'))), /no/)
})
