import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerProcess } from '../support/broker-process.ts'
import { seeded } from '../support/seeded.ts'
import { offsetAt } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { assertKept, CrashLoad } from './crash-load.ts'
import { rounds, seed } from './settings.ts'

const partitions = 2
const KiB = 1024

/** Small segments that leave the disk at once: rolls, uploads and evictions are under way when the broker is killed. */
const tieredConfigs = {
  'remote.storage.enable': 'true',
  'segment.bytes': String(128 * KiB),
  'local.retention.bytes': String(256 * KiB),
}

interface TierEffect {
  readonly objects: number
  /** Of the partition that lost the fewest. */
  readonly evictedMin: number
}

/** What the tier did to a topic: without this, kills hit no roll, no upload and no eviction. */
async function tierEffect(broker: BrokerProcess, load: CrashLoad): Promise<TierEffect> {
  const client = await WireClient.connect(broker.bootstrap)
  const evicted: number[] = []
  for (let partition = 0; partition < partitions; partition++)
    evicted.push(await offsetAt(client, { topic: load.name, partition, timestamp: -4 }))
  client.close()
  const objects = globSync(join(broker.data, '**', load.topicId, '*', '*-g0-*')).length
  return { objects, evictedMin: Math.min(...evicted) }
}

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
      const { bootstrap } = broker
      const local = await CrashLoad.start({ bootstrap, partitions })
      const tiered = await CrashLoad.start({ bootstrap, partitions, fillerBytes: 2000, configs: tieredConfigs })
      const loads = [local, tiered]
      context.after(() => loads.forEach((load) => load.abort()))
      const interrupted = () => loads.reduce((sum, load) => sum + load.interrupted, 0)
      let hit = 0
      for (let round = 0; round < rounds; round++) {
        await Promise.all(loads.map((load) => load.progress()))
        await sleep(random() * 400)
        const before = interrupted()
        await broker.stop('SIGKILL')
        await broker.start()
        await Promise.all(loads.map((load) => load.progress()))
        if (interrupted() > before) hit++
      }
      // The tier looks at each partition every ten seconds; the load goes on meanwhile.
      let effect = await tierEffect(broker, tiered)
      for (const deadline = performance.now() + 40_000; effect.evictedMin === 0 && performance.now() < deadline; await sleep(500))
        effect = await tierEffect(broker, tiered)
      const histories = await Promise.all(loads.map((load) => load.finish()))
      const records = histories.reduce((sum, { final }) => sum + final.length, 0)
      context.diagnostic(
        `${local.acknowledged} + ${tiered.acknowledged} batches acknowledged, ${interrupted()} under way in ${hit} of ` +
          `${rounds} crashes, ${records} records in the end; ${effect.objects} objects, ` +
          `local logs start at ${effect.evictedMin} or later`,
      )
      assert.ok(hit > rounds / 2, `only ${hit} of ${rounds} crashes hit something that was under way`)
      assert.ok(effect.objects > 0, 'nothing was uploaded')
      assert.ok(effect.evictedMin > 0, 'nothing was evicted')
      for (const history of histories) assertKept(history)
    })
  })
}
