import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openFolderStore } from '../../broker/objects/folder-store.ts'
import { ObjectStoreError } from '../../broker/objects/object-store.ts'
import { type Disk, DiskError, type DiskFile } from '../../broker/runtime/disk.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { objectStoreCases } from '../cases/object-store.cases.ts'
import { BytesBody, patternBytes } from '../support/object-body.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const directory = temporaryDirectory()
let folders = 0
const newPath = () => join(directory, `${folders++}`)
const open = (
  path: string,
  options: { disk?: Disk; requestsMax?: number; waitingCallsMax?: number; bufferBytesMax?: number } = {},
) => openFolderStore({ path, disk: nodeDisk, clock: nodeClock, random: nodeRandom, ...options })
const isError = (code: ObjectStoreError['code']) => (error: unknown) => error instanceof ObjectStoreError && error.code === code

objectStoreCases('FolderStore', () => open(join(newPath(), 'not/yet/there')))

describe('the folder', () => {
  it('an object is a file at its key, and nothing stays of one that came second', async () => {
    const path = newPath()
    const store = await open(path)
    await store.put('v1/cluster/object', new BytesBody(Buffer.from('content')))
    assert.equal(readFileSync(join(path, 'v1/cluster/object'), 'utf8'), 'content')
    await store.put('v1/cluster/object', new BytesBody(Buffer.from('other content')))
    assert.deepEqual(readdirSync(join(path, '.incoming')), [])
  })

  it('objects are there when the folder is opened again', async () => {
    const path = newPath()
    const first = await open(path)
    await first.put('object', new BytesBody(patternBytes(1000)))
    await first.close()
    const second = await open(path)
    assert.ok((await second.getRange('object', { start: 0, end: 1000 }))?.equals(patternBytes(1000)))
  })

  it('what a crash left half written is no object, and is removed a day later', async () => {
    const path = newPath()
    mkdirSync(join(path, '.incoming'), { recursive: true })
    for (const name of ['young', 'old']) writeFileSync(join(path, '.incoming', name), 'half')
    const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 60 * 60
    utimesSync(join(path, '.incoming', 'old'), twoDaysAgo, twoDaysAgo)
    const store = await open(path)
    assert.deepEqual(readdirSync(join(path, '.incoming')), ['young'])
    assert.deepEqual(await store.list(''), [])
  })

  it('no key reaches outside the folder, or into the files that are being written', async () => {
    const path = newPath()
    const store = await open(path)
    writeFileSync(join(path, '..', 'outside'), 'secret')
    for (const key of ['../outside', 'a/../../outside', '.incoming/x', '/etc/passwd']) {
      await assert.rejects(store.getRange(key, { start: 0, end: 10 }), isError('refused'))
      await assert.rejects(store.put(key, new BytesBody(Buffer.from('x'))), isError('refused'))
      await assert.rejects(store.delete([key]), isError('refused'))
    }
    assert.ok(existsSync(join(path, '..', 'outside')))
  })

  it('two stores on one folder: of ten different objects put under one key at once, one is stored', async () => {
    const path = newPath()
    const stores = [await open(path), await open(path)]
    const puts = Array.from({ length: 10 }, (_, index) =>
      stores[index % 2]!.put('a/object', new BytesBody(patternBytes(5000, index + 1))),
    )
    assert.equal((await Promise.all(puts)).filter(({ stored }) => stored).length, 1)
  })

  it('a key below another object is refused, and both stay what they are', async () => {
    const store = await open(newPath())
    await store.put('a', new BytesBody(Buffer.from('a')))
    await store.put('b/c', new BytesBody(Buffer.from('c')))
    await assert.rejects(store.put('a/below', new BytesBody(Buffer.from('x'))), isError('refused'))
    assert.deepEqual(await store.put('b', new BytesBody(Buffer.from('x'))), { stored: false })
    assert.equal(await store.head('b'), undefined)
    assert.equal(await store.head('a/below'), undefined)
    assert.equal(await store.getRange('b', { start: 0, end: 1 }), undefined)
    await store.delete(['b', 'a/below'])
    assert.deepEqual(
      (await store.list('')).map(({ key }) => key),
      ['a', 'b/c'],
    )
  })
})

describe('limits', () => {
  /** A disk that counts how many files are open at once. */
  function countingDisk() {
    const count = { open: 0, openMax: 0 }
    const disk: Disk = {
      ...nodeDisk,
      async open(path, options) {
        const file = await nodeDisk.open(path, options)
        count.openMax = Math.max(count.openMax, ++count.open)
        return {
          read: (target, position) => file.read(target, position),
          write: (buffers, position) => file.write(buffers, position),
          sync: () => file.sync(),
          truncate: (size) => file.truncate(size),
          size: () => file.size(),
          close: () => {
            count.open--
            return file.close()
          },
        }
      },
    }
    return { disk, count }
  }

  it('no more calls run at a time than may, and every file is closed', async () => {
    const { disk, count } = countingDisk()
    const store = await open(newPath(), { disk, requestsMax: 3 })
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.put(`object-${index}`, new BytesBody(patternBytes(1000)))))
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.getRange(`object-${index}`, { start: 0, end: 1000 })))
    assert.deepEqual(count, { open: 0, openMax: 3 })
  })

  it('more calls than may wait are refused as away', async () => {
    const store = await open(newPath(), { requestsMax: 1, waitingCallsMax: 2 })
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.head('object')))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
    )
  })

  it('a range larger than the buffers of all calls is read alone', async () => {
    const store = await open(newPath(), { bufferBytesMax: 1000 })
    await store.put('object', new BytesBody(patternBytes(5000)))
    const ranges = await Promise.all(Array.from({ length: 5 }, () => store.getRange('object', { start: 0, end: 5000 })))
    assert.ok(ranges.every((bytes) => bytes?.equals(patternBytes(5000))))
  })

  it('a disk that is full is a store that is away, and leaves nothing behind', async () => {
    const path = newPath()
    const full: Disk = {
      ...nodeDisk,
      async open(file, options) {
        const opened = await nodeDisk.open(file, options)
        const write = async () => {
          throw new DiskError('write', file, { code: 'ENOSPC' })
        }
        return { write, close: () => opened.close() } as Partial<DiskFile> as DiskFile
      },
    }
    const store = await open(path, { disk: full })
    await assert.rejects(store.put('object', new BytesBody(patternBytes(10))), isError('away'))
    assert.deepEqual(readdirSync(join(path, '.incoming')), [])
    assert.deepEqual(await store.list(''), [])
  })

  it('closing lets what is under way end, and refuses what comes later as away', async () => {
    const store = await open(newPath())
    const puts = Array.from({ length: 10 }, (_, index) => store.put(`object-${index}`, new BytesBody(patternBytes(1000))))
    const closed = store.close()
    await assert.rejects(store.head('object-1'), isError('away'))
    await closed
    assert.ok((await Promise.all(puts)).every(({ stored }) => stored))
  })
})
