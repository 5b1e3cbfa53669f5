import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from '../support/broker-process.ts'
import { seeded } from '../support/seeded.ts'
import { assertKept, CrashLoad } from './crash-load.ts'
import { rounds, seed } from './settings.ts'

for (const durability of ['fsync', 'replicated'] as const) {
  describe(`kill -9 under load with durability=${durability}`, () => {
    let broker: BrokerProcess
    before(async () => {
      broker = await BrokerProcess.start({ flags: ['--durability', durability] })
    })
    after(() => broker.dispose())

    test(`in ${rounds} rounds loses, doubles, moves and reorders nothing that was acknowledged`, async (context) => {
      const random = seeded(seed)
      context.diagnostic(`seed ${seed}`)
      const load = await CrashLoad.start({ bootstrap: broker.bootstrap, partitions: 4 })
      context.after(() => load.abort())
      let hit = 0
      for (let round = 0; round < rounds; round++) {
        await load.progress()
        await sleep(random() * 400)
        const before = load.interrupted
        await broker.stop('SIGKILL')
        await broker.start()
        await load.progress()
        if (load.interrupted > before) hit++
      }
      const history = await load.finish()
      context.diagnostic(
        `${load.acknowledged} batches acknowledged, ${load.interrupted} under way in ${hit} of ${rounds} crashes, ${history.final.length} records in the end`,
      )
      assert.ok(hit > rounds / 2, `only ${hit} of ${rounds} crashes hit something that was under way`)
      assertKept(history)
    })
  })
}
