import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { Budget, BudgetError } from '../../broker/runtime/budget.ts'

/** A call that runs until it is told to end. */
function call(budget: Budget, units: number, signal?: AbortSignal) {
  const ending = Promise.withResolvers<void>()
  const state = { isRunning: false, end: () => ending.resolve(), over: undefined as unknown as Promise<void> }
  state.over = budget.use({ units, signal }, async () => {
    state.isRunning = true
    await ending.promise
    state.isRunning = false
  })
  state.over.catch(() => {})
  return state
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const isError = (code: BudgetError['code']) => (error: unknown) => error instanceof BudgetError && error.code === code

it('calls run while there are units, and the next when some come back', async () => {
  const budget = new Budget({ units: 3, waitingMax: 10 })
  const calls = [call(budget, 2), call(budget, 1), call(budget, 1)]
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [true, true, false])
  calls[1]!.end()
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [true, false, true])
})

it('a large share is not passed by small ones that came later', async () => {
  const budget = new Budget({ units: 3, waitingMax: 10 })
  const calls = [call(budget, 2), call(budget, 3), call(budget, 1)]
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [true, false, false])
  calls[0]!.end()
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [false, true, false])
})

it('a share of more than everything runs alone', async () => {
  const budget = new Budget({ units: 3, waitingMax: 10 })
  const calls = [call(budget, 100), call(budget, 1)]
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [true, false])
})

it('more calls than may wait are refused', async () => {
  const budget = new Budget({ units: 1, waitingMax: 1 })
  const calls = [call(budget, 1), call(budget, 1), call(budget, 1)]
  await assert.rejects(calls[2]!.over, isError('full'))
  calls[0]!.end()
  await settled()
  assert.ok(calls[1]!.isRunning)
})

it('a call that is aborted while it waits does not run, and lets those behind it pass', async () => {
  const budget = new Budget({ units: 2, waitingMax: 10 })
  const controller = new AbortController()
  const calls = [call(budget, 1), call(budget, 2, controller.signal), call(budget, 1)]
  controller.abort()
  await assert.rejects(calls[1]!.over, isError('aborted'))
  await settled()
  assert.deepEqual(calls.map(({ isRunning }) => isRunning), [true, false, true])
  await assert.rejects(budget.use({ units: 1, signal: AbortSignal.abort() }, async () => {}), isError('aborted'))
})

it('a call that fails gives its share back', async () => {
  const budget = new Budget({ units: 1, waitingMax: 0 })
  for (let round = 0; round < 3; round++) {
    await assert.rejects(budget.use({ units: 1 }, async () => Promise.reject(new Error('failed'))), { message: 'failed' })
  }
})

it('idle resolves once nothing runs and nothing waits', async () => {
  const budget = new Budget({ units: 1, waitingMax: 10 })
  await budget.idle()
  const calls = [call(budget, 1), call(budget, 1)]
  let isIdle = false
  const idle = budget.idle().then(() => (isIdle = true))
  calls[0]!.end()
  await settled()
  assert.equal(isIdle, false)
  calls[1]!.end()
  await idle
})

it('whatever is asked for and aborted, no more is out than there is, and everything comes back', async () => {
  const asks = fc.array(fc.record({ units: fc.integer({ min: 0, max: 12 }), isAborted: fc.boolean() }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(asks, fc.integer({ min: 1, max: 10 }), async (asked, units) => {
      const budget = new Budget({ units, waitingMax: 100 })
      let out = 0
      const calls = asked.map(({ units: share, isAborted }) => {
        const controller = new AbortController()
        const over = budget.use({ units: share, signal: controller.signal }, async () => {
          out += Math.min(share, units)
          assert.ok(out <= units)
          await Promise.resolve()
          out -= Math.min(share, units)
        })
        if (isAborted) controller.abort()
        return over.catch((cause) => assert.ok(isError('aborted')(cause)))
      })
      await Promise.all(calls)
      await budget.idle()
      await budget.use({ units }, async () => {})
    }),
  )
})
