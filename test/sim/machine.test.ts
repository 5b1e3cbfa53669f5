import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TableError } from '../../broker/table/table.ts'
import { SimDisk } from '../../sim/disk.ts'
import { SimObjects } from '../../sim/objects.ts'
import { SimProcess } from '../../sim/process.ts'
import { withoutRealTime } from '../../sim/real-time-guard.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { SimTable } from '../../sim/table.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'

const commitOf = (value: number) => [{ kind: 'put', key: { partition: 'p', sort: 's' }, value, expect: 'absent' } as const]

describe('the scheduler', () => {
  test('lets events happen in the order of their times, and those of one time as they were scheduled', async () => {
    const scheduler = new Scheduler(1)
    const happened: number[] = []
    const times = [5, 3, 9, 3, 1, 7, 5]
    times.forEach((time, index) => scheduler.after(time, 'event', () => void happened.push(index)))
    await scheduler.run(8)
    assert.deepEqual(happened, [4, 1, 3, 0, 6, 5])
    assert.equal(scheduler.now, 8)
  })

  test('lets every promise that can go on do so before the next event', async () => {
    const scheduler = new Scheduler(1)
    const happened: string[] = []
    scheduler.after(1, 'first', async () => {
      for (let turns = 0; turns < 50; turns++) await undefined
      happened.push('first')
    })
    scheduler.after(1, 'second', () => void happened.push('second'))
    await scheduler.run(2)
    assert.deepEqual(happened, ['first', 'second'])
  })
})

describe('a simulated process', () => {
  test('hears of its timers late when it was paused, and of none when it has ended', async () => {
    const scheduler = new Scheduler(1)
    const process = new SimProcess('p', scheduler)
    const fired: number[] = []
    process.clock.after(10, () => fired.push(process.clock.monotonic()))
    process.clock.after(90, () => fired.push(process.clock.monotonic()))
    process.pause()
    scheduler.after(50, 'goes on', () => process.resume())
    scheduler.after(80, 'ends', () => process.end())
    await scheduler.run(100)
    assert.deepEqual(fired, [50])
  })

  test('has a wall clock that can step while the monotonic one goes on', async () => {
    const scheduler = new Scheduler(1)
    const time = { skewMs: 0, rate: 1 }
    const process = new SimProcess('p', scheduler, time)
    const before = process.clock.now()
    time.skewMs = -5_000
    await scheduler.run(1_000)
    assert.equal(process.clock.now(), before - 4_000)
    assert.equal(process.clock.monotonic(), 1_000)
  })

  test('is told who looks at the real clock while it runs', async () => {
    const used: string[] = []
    await withoutRealTime((what) => used.push(what), async () => void Date.now())
    Date.now()
    assert.deepEqual(used, ['now'])
  })
})

describe('a simulated disk', () => {
  async function written(scheduler: Scheduler, disk: SimDisk, isSynced: boolean): Promise<SimProcess> {
    const process = new SimProcess('p', scheduler)
    const mounted = disk.mount(process)
    void mounted.makeDirectory('/data').then(async () => {
      const file = await mounted.open('/data/log', { create: true })
      await mounted.syncDirectory('/data')
      await file.sync()
      await file.write([Buffer.alloc(4_096, 7)], 0)
      if (isSynced) await file.sync()
    })
    await scheduler.run(1_000)
    return process
  }

  test('keeps what was synced when the power goes', async () => {
    const scheduler = new Scheduler(1)
    const disk = new SimDisk(scheduler, 'host')
    const process = await written(scheduler, disk, true)
    process.end({ isSilent: true })
    await disk.losePower()
    assert.deepEqual(disk.memory.files().get('/data/log'), Buffer.alloc(4_096, 7))
  })

  test('loses what was not, for some seed, and keeps all of it when only the process ends', async () => {
    const lost = new Set<boolean>()
    for (let seed = 1; seed <= 20; seed++) {
      const scheduler = new Scheduler(seed)
      const disk = new SimDisk(scheduler, 'host')
      const process = await written(scheduler, disk, false)
      process.end()
      assert.deepEqual(disk.memory.files().get('/data/log'), Buffer.alloc(4_096, 7))
      await disk.losePower()
      lost.add(disk.memory.files().get('/data/log')?.equals(Buffer.alloc(4_096, 7)) !== true)
    }
    assert.ok(lost.has(true))
  })

  test('fails a sync and lets the next one succeed, which means nothing', async () => {
    const scheduler = new Scheduler(3)
    const disk = new SimDisk(scheduler, 'host')
    const mounted = disk.mount(await written(scheduler, disk, false))
    const outcomes: string[] = []
    disk.weather.syncFaults = 1
    void mounted.open('/data/log').then(async (file) => {
      await file.sync().catch((cause: { code: string }) => outcomes.push(cause.code))
      disk.weather.syncFaults = 0
      await file.sync().then(() => outcomes.push('synced'))
    })
    await scheduler.run(2_000)
    assert.deepEqual(outcomes, ['EIO', 'synced'])
  })
})

describe('a simulated table', () => {
  async function commit(weather: Partial<SimTable['weather']>, elapsedMs: number) {
    const scheduler = new Scheduler(1)
    const table = new SimTable(scheduler)
    Object.assign(table.weather, weather)
    let outcome: unknown
    table.of(new SimProcess('p', scheduler), 'host').commit(commitOf(1)).then((result) => (outcome = result.committed), (cause) => (outcome = cause))
    await scheduler.run(elapsedMs)
    const code = outcome instanceof TableError ? outcome.code : outcome
    return { code, table, scheduler, stored: (await table.memory.get({ partition: 'p', sort: 's' }))?.value }
  }

  test('refuses before anything is written, answers nothing although it is, or is away', async () => {
    for (const [weather, code, stored] of [
      [{}, true, 1], [{ refused: 1 }, 'away', undefined], [{ lostAnswers: 1 }, 'unknown', 1], [{ isAway: true }, 'away', undefined],
    ] as const) {
      const found = await commit(weather, 5_000)
      assert.deepEqual([found.code, found.stored], [code, stored])
    }
  })

  test('carries a commit out after it was given up, and only where its condition still holds', async () => {
    const { code, stored, table, scheduler } = await commit({ late: 1 }, 3_000)
    assert.deepEqual([code, stored], ['unknown', undefined])
    await table.memory.commit(commitOf(2))
    await scheduler.run(60_000)
    assert.deepEqual(table.late, { landed: 0, conflicted: 1 })
    assert.equal((await table.memory.get({ partition: 'p', sort: 's' }))?.value, 2)
  })

  test('is cut off from one host and not from others', async () => {
    const scheduler = new Scheduler(1)
    const table = new SimTable(scheduler)
    table.cut('one')
    const outcomes: unknown[] = []
    for (const host of ['one', 'other']) {
      table.of(new SimProcess(host, scheduler), host).commit(commitOf(1)).then(({ committed }) => outcomes.push(committed), () => outcomes.push('away'))
    }
    await scheduler.run(10_000)
    assert.deepEqual(outcomes, [true, 'away'])
  })
})

describe('a simulated object store', () => {
  const body = { length: 3, crc32c: crc32c(Buffer.from('abc')), async *chunks() { yield Buffer.from('abc') } }

  test('stores an object whose answer is lost, at once or late', async () => {
    for (const weather of [{ lostAnswers: 1 }, { late: 1 }]) {
      const scheduler = new Scheduler(1)
      const objects = new SimObjects(scheduler)
      Object.assign(objects.weather, weather)
      let outcome = ''
      objects.of(new SimProcess('p', scheduler), 'host').put('key', body).then(() => (outcome = 'stored'), () => (outcome = 'away'))
      await scheduler.run(60_000)
      assert.equal(outcome, 'away')
      assert.deepEqual(await objects.memory.head('key'), { length: 3 })
    }
  })

  test('damages what is read, and not what is stored', async () => {
    const scheduler = new Scheduler(1)
    const objects = new SimObjects(scheduler)
    await objects.memory.put('key', body)
    objects.weather.damaged = 1
    let read: Buffer | undefined
    void objects.of(new SimProcess('p', scheduler), 'host').getRange('key', { start: 0, end: 3 }).then((bytes) => (read = bytes))
    await scheduler.run(1_000)
    assert.notEqual(read?.toString(), 'abc')
    assert.equal((await objects.memory.getRange('key', { start: 0, end: 3 }))?.toString(), 'abc')
  })
})
