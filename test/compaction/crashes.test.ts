// A pass that loses its power before each of its operations on the disk, or meets one that fails: the log is the old or the new one,
// and the next pass comes to the end.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DiskError } from '../../broker/runtime/disk.ts'
import { LogWorld } from '../log/log-world.ts'
import { batchesOf, compact, put, recordsIn, settled, tableOf, type Update } from './local-world.ts'

function worldOf(seed: number): LogWorld {
  const world = new LogWorld({ seed, writeBack: [0, 0.3][seed % 2]! }, { segmentBytes: 1_000, isCompacted: true, isDeleted: false })
  world.isSynced = seed % 3 > 0
  return world
}

const updates: readonly Update[] = Array.from({ length: 60 }, (_, index) => [`key-${index % 7}`, `value ${index} ${'x'.repeat(40)}`])

async function filled(world: LogWorld) {
  const log = await world.openCold()
  for (let index = 0; index < updates.length; index += 2) await put(log, updates.slice(index, index + 2))
  await log.roll()
  await settled(log)
  return log
}

const whole = tableOf(updates.map(([key, value]) => ({ key, value })))

describe('a pass that ends', () => {
  for (let seed = 1; seed <= 6; seed++) {
    test(`at any operation leaves the old segments or the new ones, seed ${seed}`, async () => {
      const probe = worldOf(seed)
      const undisturbed = await filled(probe)
      const before = (await batchesOf(undisturbed)).length
      const begun = probe.disk.operations
      await compact(probe, undisturbed)
      const operations = probe.disk.operations - begun
      assert.ok(operations > 20)
      let half = 0
      for (let at = 1; at <= operations; at++) {
        const world = worldOf(seed)
        const log = await filled(world)
        world.disk.powerLossAt = world.disk.operations + at
        await compact(world, log).catch(() => {})
        world.disk.crash()
        const again = await world.openCold()
        assert.deepEqual(tableOf(await recordsIn(again)), whole, `power lost at operation ${at}`)
        assert.equal(again.endOffset, 60)
        assert.equal(again.tornBytes, 0)
        const left = (await batchesOf(again)).length
        if (left < before && again.compaction.cleanedOffset === 0) half++
        assert.deepEqual(world.names().filter((name) => name.includes('cleaned')), [])
        await compact(world, again)
        await compact(world, again)
        assert.deepEqual((await recordsIn(again)).map(({ offset }) => offset), [53, 54, 55, 56, 57, 58, 59])
        await put(again, [['key-0', 'goes on']])
        await again.close()
      }
      assert.ok(half > 0, 'some were half-way')
    })

    test(`with an error at any operation goes on, or says that it has stopped, seed ${seed}`, async () => {
      for (let at = 1; at <= 60; at += 1 + (seed % 2)) {
        const world = worldOf(seed)
        const log = await filled(world)
        let operation = 0
        const code = seed % 2 === 0 ? 'ENOSPC' : 'EIO'
        world.disk.fault = ({ kind }) => {
          const isMeant = code === 'EIO' || kind === 'write' || kind === 'open'
          return isMeant && ++operation === at ? code : undefined
        }
        const failure = await compact(world, log).then(() => undefined, (cause: unknown) => cause)
        world.disk.fault = () => undefined
        assert.ok(failure === undefined || failure instanceof DiskError || failure instanceof Error)
        if (!log.isStopped) {
          assert.deepEqual(tableOf(await recordsIn(log)), whole, `${code} at ${at}`)
          await compact(world, log)
          assert.deepEqual(tableOf(await recordsIn(log)), whole)
          await log.close()
        } else {
          await log.abandon()
        }
        const again = await world.openCold()
        assert.deepEqual(tableOf(await recordsIn(again)), whole)
        await compact(world, again)
        assert.deepEqual(tableOf(await recordsIn(again)), whole)
        await again.close()
      }
    })
  }
})
