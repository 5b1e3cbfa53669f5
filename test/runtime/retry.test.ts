import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backoffMs } from '../../broker/runtime/backoff.ts'
import type { Random } from '../../broker/runtime/random.ts'
import { retry } from '../../broker/runtime/retry.ts'
import { TimeoutError, withTimeout } from '../../broker/runtime/timeout.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** Dice that always show the same. */
const always = (fraction: number): Random => ({ fraction: () => fraction, bytes: (length) => Buffer.alloc(length) })

describe('backoff', () => {
  it('is drawn from a bound that doubles up to the largest', () => {
    const waits = (fraction: number) =>
      [1, 2, 3, 4, 5, 50].map((tries) => backoffMs(tries, { firstMs: 10, maxMs: 60, random: always(fraction) }))
    assert.deepEqual(waits(1), [10, 20, 40, 60, 60, 60])
    assert.deepEqual(waits(0), [0, 0, 0, 0, 0, 0])
    assert.deepEqual(waits(0.5), [5, 10, 20, 30, 30, 30])
  })
})

describe('retry', () => {
  const failing = (clock: ManualClock, times: number) => {
    const tries: number[] = []
    const run = async () => {
      tries.push(clock.monotonic())
      if (tries.length <= times) throw new Error(`failure ${tries.length}`)
      return 'done'
    }
    return { tries, run }
  }
  const options = (clock: ManualClock) => {
    return { clock, random: always(1), backoff: { firstMs: 10, maxMs: 40 }, retryMs: 100, mayPass: () => true }
  }

  it('waits between tries and ends with the first success', async () => {
    const clock = new ManualClock()
    const { tries, run } = failing(clock, 3)
    const result = retry(options(clock), run)
    await clock.advance(1000)
    assert.equal(await result, 'done')
    assert.deepEqual(tries, [0, 10, 30, 70])
  })

  it('fails with the last failure once time would be up before the next try', async () => {
    const clock = new ManualClock()
    const { tries, run } = failing(clock, Infinity)
    const result = assert.rejects(retry(options(clock), run), { message: 'failure 4' })
    await clock.advance(1000)
    await result
    assert.deepEqual(tries, [0, 10, 30, 70])
  })

  it('does not try again what will not pass', async () => {
    const clock = new ManualClock()
    const { run } = failing(clock, Infinity)
    await assert.rejects(retry({ ...options(clock), mayPass: () => false }, run), { message: 'failure 1' })
  })

  it('stops waiting when it is aborted, after one more try', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const { tries, run } = failing(clock, Infinity)
    const result = assert.rejects(retry({ ...options(clock), signal: controller.signal }, run), { message: 'failure 2' })
    await clock.advance(5)
    controller.abort()
    await result
    assert.deepEqual(tries, [0, 5])
  })
})

describe('a timeout', () => {
  const never = () => new Promise<never>(() => {})

  it('rejects and aborts what runs, even if that does not listen', async () => {
    const clock = new ManualClock()
    let inner: AbortSignal | undefined
    const result = assert.rejects(
      withTimeout({ clock, timeoutMs: 10 }, (signal) => {
        inner = signal
        return never()
      }),
      TimeoutError,
    )
    await clock.advance(9)
    assert.equal(inner?.aborted, false)
    await clock.advance(1)
    await result
    assert.equal(inner?.aborted, true)
  })

  it('leaves a result that comes in time alone', async () => {
    const clock = new ManualClock()
    let inner: AbortSignal | undefined
    const result = await withTimeout({ clock, timeoutMs: 10 }, async (signal) => {
      inner = signal
      return 'done'
    })
    await clock.advance(100)
    assert.equal(result, 'done')
    assert.equal(inner?.aborted, false)
  })

  it('ends with the caller\'s signal, also one that was aborted before', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const result = withTimeout({ clock, timeoutMs: 10, signal: controller.signal }, never)
    controller.abort(new Error('enough'))
    await assert.rejects(result, { message: 'enough' })
    await assert.rejects(withTimeout({ clock, timeoutMs: 10, signal: controller.signal }, never), { message: 'enough' })
  })
})
