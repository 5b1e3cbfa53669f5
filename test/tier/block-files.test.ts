import { strict as assert } from 'node:assert'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { type Block, BlockFiles } from '../../broker/tier/block-files.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const root = temporaryDirectory()
const uuid = 'U'.repeat(22)
const block = (index: number): Block => ({ key: `v1/${uuid}`, uuid, start: 100 * index, end: 100 * index + 100 })
const bytesOf = (index: number) => Buffer.alloc(100, index)

function open(name: string, bytesMax = 1000, faults: string[] = []): Promise<BlockFiles> {
  return BlockFiles.open({ disk: nodeDisk, directory: join(root, name), bytesMax, onFault: (doing) => faults.push(doing) })
}

suite('cached blocks on disk', () => {
  test('are found again after a restart, except what a crash left half written or is not ours', async () => {
    const files = await open('restart')
    for (const index of [0, 1, 2]) await files.write(block(index), bytesOf(index))
    truncateSync(join(root, 'restart', `${'U'.repeat(22)}.100.200`), 50)
    writeFileSync(join(root, 'restart', 'notes.txt'), 'x')
    const again = await open('restart')
    assert.equal(again.bytes, 200)
    assert.ok((await again.read(block(0)))?.equals(bytesOf(0)))
    assert.equal(await again.read(block(1)), undefined)
    assert.equal(readdirSync(join(root, 'restart')).length, 2)
  })

  test('stay within the limit, the least recently read going first, also when the limit has shrunk', async () => {
    const files = await open('limit', 300)
    for (const index of [0, 1, 2]) await files.write(block(index), bytesOf(index))
    await files.read(block(0))
    await files.write(block(3), bytesOf(3))
    assert.equal(files.bytes, 300)
    assert.equal(await files.read(block(1)), undefined)
    assert.ok((await files.read(block(0)))?.equals(bytesOf(0)))
    assert.equal((await open('limit', 100)).bytes, 100)
    assert.equal(readdirSync(join(root, 'limit')).length, 1)
  })

  test('a file that is gone or short is a miss and no error', async () => {
    const faults: string[] = []
    const files = await open('gone', 1000, faults)
    await files.write(block(0), bytesOf(0))
    await files.write(block(1), bytesOf(1))
    await nodeDisk.remove(join(root, 'gone', `${'U'.repeat(22)}.0.100`))
    truncateSync(join(root, 'gone', `${'U'.repeat(22)}.100.200`), 7)
    assert.equal(await files.read(block(0)), undefined)
    assert.equal(await files.read(block(1)), undefined)
    assert.equal(files.bytes, 0)
    assert.deepEqual(faults, ['reading a cached block'])
  })

  test('a block that is dropped while it is written does not come back', async () => {
    const files = await open('dropped')
    const writing = files.write(block(0), bytesOf(0))
    await files.discard(block(0))
    await writing
    assert.equal(await files.read(block(0)), undefined)
    assert.deepEqual([files.bytes, readdirSync(join(root, 'dropped')).length], [0, 0])
  })
})
