import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import { UploadPace } from '../../broker/tier/upload-pace.ts'
import { ManualClock } from '../support/manual-clock.ts'

const limits = { uploadDrainMs: 20_000, uploadBytesPerSecondMin: 1000 }

suite('the pace of uploads', () => {
  test('the first may start at once, and the next when its bytes are paid for', async () => {
    const clock = new ManualClock()
    const pace = new UploadPace(clock, limits)
    assert.equal(pace.waitMs(0), 0)
    pace.spend(3000)
    assert.equal(pace.waitMs(0), 3000)
    await clock.advance(2999)
    assert.ok(pace.waitMs(0) > 0)
    await clock.advance(1)
    assert.equal(pace.waitMs(0), 0)
  })

  test('small ones do not wait for one another after a pause of a second', async () => {
    const clock = new ManualClock()
    const pace = new UploadPace(clock, limits)
    await clock.advance(10_000)
    for (let sent = 0; sent < 1000; sent += 100) {
      assert.equal(pace.waitMs(0), 0)
      pace.spend(100)
    }
    pace.spend(500)
    assert.equal(pace.waitMs(0), 500, 'but a long pause saves up no more than one second')
  })

  test('what waits makes it faster, so that steady traffic is followed and never left behind for good', async () => {
    const clock = new ManualClock()
    const pace = new UploadPace(clock, limits)
    const bytesPerSecond = 200_000
    let waiting = 0
    let most = 0
    for (let ms = 0; ms < 200_000; ms += 100) {
      waiting += bytesPerSecond / 10
      while (waiting >= 20_000 && pace.waitMs(waiting) === 0) {
        pace.spend(20_000)
        waiting -= 20_000
      }
      most = Math.max(most, waiting)
      await clock.advance(100)
    }
    assert.ok(most <= (bytesPerSecond * limits.uploadDrainMs) / 1000 + 40_000, `${most} bytes waited`)
    assert.ok(most > bytesPerSecond, 'a burst is not followed at once')
  })
})
