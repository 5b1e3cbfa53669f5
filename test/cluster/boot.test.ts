import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameBoot, rememberBoot } from '../../broker/cluster/identity.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

test('a start that did not come to register leaves it open whether the system had stopped', async () => {
  const disk = new MemoryDisk({ seed: 1 }).mount()
  await disk.makeDirectory('/data')
  await rememberBoot(disk, '/data', 'first')
  assert.equal(await isSameBoot(disk, '/data', 'first'), true)
  // The power goes. Two starts fail before the third one registers.
  for (let start = 0; start < 3; start++) assert.equal(await isSameBoot(disk, '/data', 'second'), false)
  await rememberBoot(disk, '/data', 'second')
  assert.equal(await isSameBoot(disk, '/data', 'second'), true)
})

test('where nobody says which run of the system it is, nothing is believed', async () => {
  const disk = new MemoryDisk({ seed: 1 }).mount()
  await disk.makeDirectory('/data')
  await rememberBoot(disk, '/data', undefined)
  assert.equal(await isSameBoot(disk, '/data', undefined), false)
})
