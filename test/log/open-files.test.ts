// A log that cannot be opened is tried again every few seconds: it must not keep a file each time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aBatch } from '../support/a-batch.ts'
import { appendAll, LogWorld, segmentPath } from './log-world.ts'

const batchBytes = aBatch().length

/** A disk with three segments, as a process leaves them that was killed. */
async function threeSegments(): Promise<LogWorld> {
  const world = new LogWorld({}, { segmentBytes: 2 * batchBytes })
  const log = await world.open()
  await appendAll(log, Array.from({ length: 5 }, () => aBatch()))
  world.disk.killProcess()
  return world
}

/** Opens a log while its `at`-th operation on the disk fails. Whether it could be opened. */
async function openWithFault(world: LogWorld, at: number): Promise<boolean> {
  let operations = 0
  world.disk.fault = () => (++operations === at ? 'EIO' : undefined)
  const isOpen = await world.open().then(() => true, () => false)
  world.disk.fault = () => undefined
  assert(operations >= at || isOpen)
  return isOpen
}

test('a log that could not be opened keeps no file open, whatever failed', async () => {
  let failures = 0
  for (let at = 1; ; at++) {
    const world = await threeSegments()
    if (await openWithFault(world, at)) break
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(world.disk.openFiles, 0, `operation ${at}`)
    failures++
  }
  assert(failures > 20, `${failures} operations`)
})

test('a log that is damaged keeps no file open', async () => {
  const world = await threeSegments()
  world.disk.edit(segmentPath(2), (content) => content.subarray(0, -1))
  await assert.rejects(world.open(), /damaged/)
  assert.equal(world.disk.openFiles, 0)
})
