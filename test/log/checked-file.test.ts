import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeChecked, readChecked, writeChecked, writeCheckedList } from '../../broker/log/checked-file.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const path = '/data/list'

function listOf(count: number) {
  return { count, entries: () => Array.from({ length: count }, (_, index) => [index, 'é', { half: index / 2 }]) }
}

async function aDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk({ seed: 1 })
  await disk.mount().makeDirectory('/data')
  return disk
}

test('a list is written as any other value, whether in one piece or in many', async () => {
  const memory = await aDisk()
  const disk = memory.mount()
  for (const count of [0, 1, 255, 256, 257, 511, 512, 513, 5_000]) {
    const list = listOf(count)
    await writeCheckedList(disk, path, list)
    assert.deepEqual(await disk.readFile(path), encodeChecked(list.entries()), `${count} items`)
  }
  assert.equal(memory.openFiles, 0)
})

test('a long list is encoded piece by piece: of each, only when the one before is written', async () => {
  const memory = await aDisk()
  let encoded = 0
  const seen: number[] = []
  memory.fault = ({ kind }) => {
    if (kind === 'write') seen.push(encoded)
    return undefined
  }
  const items = Array.from({ length: 20_000 }, (_, index) => ({
    toJSON() {
      encoded++
      return index
    },
  }))
  await writeCheckedList(memory.mount(), path, { count: items.length, entries: () => items })
  assert.equal(encoded, 20_000)
  for (const [index, before] of seen.entries()) assert(before - (seen[index - 1] ?? 0) <= 256)
})

test('a long list that could not be written leaves the one before, and no file open', async () => {
  const memory = await aDisk()
  const disk = memory.mount()
  await writeChecked(disk, path, 'before')
  for (const kind of ['open', 'truncate', 'write', 'sync', 'rename'] as const) {
    memory.fault = (operation) => (operation.kind === kind ? 'EIO' : undefined)
    await assert.rejects(writeCheckedList(disk, path, listOf(2_000)), /EIO/)
    assert.deepEqual(await readChecked(disk, path), { state: 'read', value: 'before' })
    assert.equal(memory.openFiles, 0)
  }
  memory.fault = () => undefined
  await writeCheckedList(disk, path, listOf(2_000))
  memory.crash()
  assert.deepEqual(await readChecked(memory.mount(), path), { state: 'read', value: listOf(2_000).entries() })
})
