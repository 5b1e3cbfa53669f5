import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { BrokerProcess } from '../support/broker-process.ts'
import { seeded } from '../support/seeded.ts'
import { check } from './checker.ts'
import { assertKept, CrashLoad } from './crash-load.ts'
import type { History } from './history.ts'
import { LoopDisk } from './loop-disk.ts'
import { rounds, seed } from './settings.ts'

/** Each has a mount, a recovery of ext4 and a start: a fifth of the rounds of kill -9, and at least two. */
const powerRounds = Math.max(2, Math.round(rounds / 5))

async function lossOfPower({ durability, rounds: count }: { durability: string; rounds: number }): Promise<History | string> {
  const disk = LoopDisk.make(512)
  if (typeof disk === 'string') return disk
  const random = seeded(seed)
  const broker = await BrokerProcess.start({ data: join(disk.directory, 'data'), flags: ['--durability', durability] })
  let load: CrashLoad | undefined
  try {
    load = await CrashLoad.start({ bootstrap: broker.bootstrap, partitions: 4 })
    for (let round = 0; round < count; round++) {
      await load.progress()
      await sleep(random() * 300)
      disk.losePower()
      await broker.stop('SIGKILL')
      disk.comeBack()
      await broker.start()
      if (durability === 'fsync') await load.progress()
      else await sleep(500)
    }
    return await load.finish()
  } finally {
    load?.abort()
    await broker.stop('SIGKILL')
    disk.dispose()
  }
}

describe('loss of power under load', () => {
  test(`in ${powerRounds} rounds loses nothing that was acknowledged with durability=fsync`, async (context) => {
    context.diagnostic(`seed ${seed}`)
    const history = await lossOfPower({ durability: 'fsync', rounds: powerRounds })
    if (typeof history === 'string') return context.skip(history)
    const acknowledged = history.attempts.filter(({ outcome }) => outcome === 'ok').length
    context.diagnostic(`${acknowledged} batches acknowledged over ${powerRounds} losses of power`)
    assert.ok(acknowledged > 0)
    assertKept(history)
  })

  test('is one: with durability=replicated, which does not promise it, this test does find losses', async (context) => {
    const history = await lossOfPower({ durability: 'replicated', rounds: 1 })
    if (typeof history === 'string') return context.skip(history)
    const lost = check(history).filter(({ rule }) => rule === 'lost')
    context.diagnostic(`${lost.length} losses`)
    assert.ok(lost.length > 0, 'nothing was lost, so the fault was none')
  })
})
