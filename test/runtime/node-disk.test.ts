import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const directory = temporaryDirectory()

it('a rename to a name that is free moves the file, to one that is taken moves nothing', async () => {
  mkdirSync(join(directory, 'target'))
  const [from, to] = [join(directory, 'from'), join(directory, 'target', 'to')]
  writeFileSync(from, 'first')
  assert.equal(await nodeDisk.renameIfAbsent(from, to), true)
  assert.equal(await nodeDisk.stat(from), undefined)
  writeFileSync(from, 'second')
  assert.equal(await nodeDisk.renameIfAbsent(from, to), false)
  assert.equal(readFileSync(from, 'utf8'), 'second')
  assert.equal(readFileSync(to, 'utf8'), 'first')
  assert.equal(await nodeDisk.renameIfAbsent(from, join(directory, 'target')), false)
})

it('of twenty renames to one name at once, one gets it', async () => {
  const to = join(directory, 'wanted')
  const files = Array.from({ length: 20 }, (_, index) => join(directory, `candidate-${index}`))
  for (const file of files) writeFileSync(file, file)
  const moved = await Promise.all(files.map((file) => nodeDisk.renameIfAbsent(file, to)))
  assert.equal(moved.filter((isMoved) => isMoved).length, 1)
  assert.equal(readFileSync(to, 'utf8'), files[moved.indexOf(true)])
})

it('entries tell directories from files, and are none where there is no directory', async () => {
  mkdirSync(join(directory, 'some', 'folder'), { recursive: true })
  writeFileSync(join(directory, 'some', 'file'), 'x')
  const entries = (await nodeDisk.entries(join(directory, 'some'))).toSorted((left, right) => (left.name < right.name ? -1 : 1))
  assert.deepEqual(entries, [{ name: 'file', isDirectory: false }, { name: 'folder', isDirectory: true }])
  assert.deepEqual(await nodeDisk.entries(join(directory, 'missing')), [])
})

it('the state of a file has its size and time; a directory and a missing file have none', async () => {
  writeFileSync(join(directory, 'sized'), '12345')
  const stat = await nodeDisk.stat(join(directory, 'sized'))
  assert.equal(stat?.size, 5)
  assert.ok(Number.isFinite(stat?.modifiedAt))
  assert.equal(await nodeDisk.stat(directory), undefined)
  assert.equal(await nodeDisk.stat(join(directory, 'missing')), undefined)
})
