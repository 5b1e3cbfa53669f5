import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import { ColdPace } from '../../broker/tier/cold-pace.ts'
import { ManualClock } from '../support/manual-clock.ts'

const mebibyte = 1024 * 1024
const limits = { coldBytesPerSecondMin: 16 * mebibyte, coldBytesPerSecondFirst: 64 * mebibyte, coldBytesPerSecondMax: 1024 * mebibyte, coldLatenessMsMax: 5 }

/** A clock whose timers are late by `lateMs`, as they are where the machine is busy. */
class LateClock extends ManualClock {
  lateMs = 0
  override after(delayMs: number, run: () => void) {
    return super.after(delayMs + this.lateMs, run)
  }
}

function world() {
  const clock = new LateClock()
  let appended = 0
  const pace = new ColdPace({ clock, limits, hotTraffic: () => appended })
  return {
    clock, pace,
    /** Reads, and lets so many seconds pass with or without appends. */
    async live(seconds: number, isHot: boolean) {
      for (let turns = 0; turns < seconds * 10; turns++) {
        void pace.take(1, Infinity)
        if (isHot) appended++
        for (let steps = 0; steps < 10; steps++) await clock.advance(10)
      }
    },
  }
}

suite('the pace of reading history', () => {
  test('is not limited where nobody writes, however late timers are', async () => {
    const { clock, pace, live } = world()
    clock.lateMs = 50
    await live(5, false)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondMax)
  })

  test('is moderate when somebody begins to write, and rises while timers are in time', async () => {
    const { pace, live } = world()
    await live(0.5, true)
    const { bytesPerSecond } = pace
    assert.ok(bytesPerSecond >= limits.coldBytesPerSecondFirst && bytesPerSecond < 2 * limits.coldBytesPerSecondFirst)
    await live(800, true)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondMax)
  })

  test('falls to what is always given where somebody writes and timers are late, and rises again after', async () => {
    const { clock, pace, live } = world()
    clock.lateMs = 20
    await live(20, true)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondMin)
    clock.lateMs = 0
    await live(20, true)
    assert.ok(pace.bytesPerSecond > 2 * limits.coldBytesPerSecondMin)
    await live(1, false)
    assert.ok(pace.bytesPerSecond < limits.coldBytesPerSecondMax, 'a pause between two appends changes nothing')
    await live(3, false)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondMax, 'until the writers have gone')
  })

  test('readers wait in their order, and one whose time is over before its turn is told so and charged nothing', async () => {
    const clock = new ManualClock()
    const pace = new ColdPace({ clock, limits: { ...limits, coldBytesPerSecondMax: 1000 }, hotTraffic: () => 0 })
    const order: string[] = []
    const take = (name: string, bytes: number, deadlineMs: number) =>
      pace.take(bytes, clock.monotonic() + deadlineMs).then((isTaken) => order.push(`${name} ${isTaken}`))
    void take('first', 500, 5000)
    void take('second', 500, 5000)
    void take('hurried', 500, 900)
    void take('third', 500, 5000)
    await clock.advance(499)
    assert.deepEqual(order, ['first true'])
    await clock.advance(1)
    assert.deepEqual(order, ['first true', 'second true'])
    await clock.advance(500)
    assert.deepEqual(order, ['first true', 'second true', 'hurried false', 'third true'])
  })

  test('bytes that were asked for and not read do not count', async () => {
    const clock = new ManualClock()
    const pace = new ColdPace({ clock, limits: { ...limits, coldBytesPerSecondMax: 1000 }, hotTraffic: () => 0 })
    await pace.take(10_000, Infinity)
    pace.settle(10_000, 0)
    assert.equal(await pace.take(1, clock.monotonic()), true)
  })

  test('a batch that is larger than what was asked for is waited for as well', async () => {
    const clock = new ManualClock()
    const pace = new ColdPace({ clock, limits: { ...limits, coldBytesPerSecondMax: 1000 }, hotTraffic: () => 0 })
    await pace.take(100, Infinity)
    pace.settle(100, 2000)
    let isThrough = false
    void pace.take(1, Infinity).then(() => (isThrough = true))
    await clock.advance(1900)
    assert.equal(isThrough, false)
    await clock.advance(200)
    assert.equal(isThrough, true)
  })

  test('the first append ends what nobody held back, before another tenth of a second is over', async () => {
    const clock = new ManualClock()
    let appended = 0
    const pace = new ColdPace({ clock, limits, hotTraffic: () => appended })
    await pace.take(1, Infinity)
    await clock.advance(10)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondMax)
    appended++
    await clock.advance(10)
    assert.equal(pace.bytesPerSecond, limits.coldBytesPerSecondFirst)
  })
})
