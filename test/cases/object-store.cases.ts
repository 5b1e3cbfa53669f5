import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { type ObjectBody, type ObjectStore, ObjectStoreError } from '../../broker/objects/object-store.ts'
import { BytesBody, patternBytes } from '../support/object-body.ts'

export interface ObjectStoreCaseOptions {
  /** Above it the store under test sends an object in parts; the cases have objects on both sides. */
  readonly singlePutBytesMax?: number
  /** Why uploads in parts cannot be raced for one key here. */
  readonly noRaceInParts?: string
}

/** What every object store does. One store serves all cases, each of which keeps to a prefix of its own. */
export function objectStoreCases(name: string, open: () => Promise<ObjectStore>, options: ObjectStoreCaseOptions = {}): void {
  describe(name, { concurrency: 1 }, () => {
    let store: ObjectStore
    before(async () => {
      store = await open()
    })
    after(() => store.close())
    const fixture = (): Fixture => new Fixture(store, `v1/${randomUUID()}`)
    const { singlePutBytesMax = 5 * 1024 * 1024 } = options
    putCases(fixture, singlePutBytesMax)
    contestCases(fixture, { singlePutBytesMax, ...options })
    rangeCases(fixture)
    listCases(fixture)
    deleteCases(fixture)
    refusalCases(fixture)
  })
}

/** A store and a prefix that nobody else uses. */
class Fixture {
  readonly store: ObjectStore
  readonly prefix: string
  constructor(store: ObjectStore, prefix: string) {
    this.store = store
    this.prefix = prefix
  }

  key(name: string): string {
    return `${this.prefix}/${name}`
  }

  put(name: string, bytes: Uint8Array) {
    return this.store.put(this.key(name), new BytesBody(bytes))
  }

  async read(name: string): Promise<Buffer | undefined> {
    const found = await this.store.head(this.key(name))
    return found && this.store.getRange(this.key(name), { start: 0, end: found.length })
  }

  async list(prefix = '', options?: Parameters<ObjectStore['list']>[1]): Promise<string[]> {
    const listed = await this.store.list(this.key(prefix), options)
    return listed.map(({ key }) => key.slice(this.prefix.length + 1))
  }
}

function putCases(fixture: () => Fixture, singlePutBytesMax: number): void {
  const lengths = [0, 1, 65_536, 300_001, singlePutBytesMax, singlePutBytesMax + 1, 2 * singlePutBytesMax + 12_345]
  for (const length of lengths) {
    it(`an object of ${length} bytes comes back as it was put`, async () => {
      const f = fixture()
      const bytes = patternBytes(length, length + 1)
      assert.deepEqual(await f.put('object', bytes), { stored: true })
      assert.deepEqual(await f.store.head(f.key('object')), { length })
      assert.ok((await f.read('object'))?.equals(bytes))
    })
  }

  it('an object that was never put is undefined', async () => {
    const f = fixture()
    assert.equal(await f.store.head(f.key('nothing')), undefined)
    assert.equal(await f.store.getRange(f.key('nothing'), { start: 0, end: 10 }), undefined)
    assert.equal(await f.store.getRange(f.key('nothing'), { start: 5, end: 5 }), undefined)
  })

  const damages: readonly [string, (body: BytesBody) => ObjectBody][] = [
    ['another checksum', (body) => ({ length: body.length, crc32c: body.crc32c ^ 1, chunks: () => body.chunks() })],
    ['fewer bytes', (body) => ({ length: body.length + 1, crc32c: body.crc32c, chunks: () => body.chunks() })],
    ['more bytes', (body) => ({ length: body.length - 1, crc32c: body.crc32c, chunks: () => body.chunks() })],
  ]
  for (const length of [1000, singlePutBytesMax + 1000]) {
    for (const [name, damage] of damages) {
      it(`a body of ${length} bytes with ${name} than promised is refused as damaged and leaves no object`, async () => {
        const f = fixture()
        const body = damage(new BytesBody(patternBytes(length)))
        await assert.rejects(f.store.put(f.key('object'), body), isError('damaged'))
        assert.equal(await f.store.head(f.key('object')), undefined)
        assert.deepEqual(await f.list(), [])
      })
    }
  }

  it('a body that fails while it is read fails the put and leaves no object', async () => {
    const f = fixture()
    const failure = new Error('the segment is gone')
    const chunks = async function* () {
      yield patternBytes(500)
      throw failure
    }
    await assert.rejects(f.store.put(f.key('object'), { length: 1000, crc32c: 0, chunks }), (error) => {
      return error === failure || (error as Error).cause === failure
    })
    assert.equal(await f.store.head(f.key('object')), undefined)
  })
}

function contestCases(
  fixture: () => Fixture,
  options: { readonly singlePutBytesMax: number; readonly noRaceInParts?: string },
): void {
  const { singlePutBytesMax, noRaceInParts = false } = options
  for (const length of [4096, singlePutBytesMax + 4096]) {
    it(`a key of ${length} bytes is never overwritten, by longer, shorter or equally long content`, async () => {
      const f = fixture()
      const first = patternBytes(length, 1)
      await f.put('object', first)
      for (const other of [patternBytes(length, 2), patternBytes(length - 1, 1), patternBytes(length + 1, 1), Buffer.alloc(0)]) {
        assert.deepEqual(await f.put('object', other), { stored: false })
      }
      assert.ok((await f.read('object'))?.equals(first))
    })

    it(`putting the same ${length} bytes again counts as stored`, async () => {
      const f = fixture()
      const bytes = patternBytes(length)
      assert.deepEqual(await f.put('object', bytes), { stored: true })
      assert.deepEqual(await f.put('object', bytes), { stored: true })
    })

    it(
      `of eight different objects of ${length} bytes put under one key at once, exactly one is stored`,
      { skip: length > singlePutBytesMax && noRaceInParts },
      async () => {
        const f = fixture()
        const candidates = Array.from({ length: 8 }, (_, seed) => patternBytes(length, seed + 1))
        const results = await Promise.all(candidates.map((bytes) => f.put('object', bytes)))
        const winners = candidates.filter((_, index) => results[index]!.stored)
        assert.equal(winners.length, 1)
        assert.ok((await f.read('object'))?.equals(winners[0]!))
        assert.deepEqual(await f.list(), ['object'])
      },
    )
  }

  it('eight puts of one object at once all count as stored', async () => {
    const f = fixture()
    const results = await Promise.all(Array.from({ length: 8 }, () => f.put('object', patternBytes(4096))))
    assert.ok(results.every(({ stored }) => stored))
  })
}

function rangeCases(fixture: () => Fixture): void {
  it('a range has its bytes and no others, and is cut where the object ends', async () => {
    const f = fixture()
    const bytes = patternBytes(10_000)
    await f.put('object', bytes)
    const ranges = [
      [0, 1],
      [0, 10_000],
      [1, 2],
      [9_999, 10_000],
      [5_000, 7_500],
      [9_000, 20_000],
      [0, 20_000],
      [10_000, 10_001],
      [20_000, 30_000],
      [500, 500],
      [10_000, 10_000],
    ]
    for (const [start, end] of ranges as [number, number][]) {
      const found = await f.store.getRange(f.key('object'), { start, end })
      assert.ok(found?.equals(bytes.subarray(start, end)), `[${start}, ${end})`)
    }
  })

  it('an empty object has empty ranges', async () => {
    const f = fixture()
    await f.put('object', Buffer.alloc(0))
    assert.equal((await f.store.getRange(f.key('object'), { start: 0, end: 100 }))?.length, 0)
    assert.equal((await f.store.getRange(f.key('object'), { start: 0, end: 0 }))?.length, 0)
  })

  it('many ranges of one object are read at the same time', async () => {
    const f = fixture()
    const bytes = patternBytes(200_000)
    await f.put('object', bytes)
    const found = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        f.store.getRange(f.key('object'), { start: index * 2000, end: (index + 1) * 2000 }),
      ),
    )
    assert.ok(Buffer.concat(found as Buffer[]).equals(bytes))
  })

  it("a range that was read is the reader's own", async () => {
    const f = fixture()
    const bytes = patternBytes(100)
    await f.put('object', bytes)
    const first = await f.store.getRange(f.key('object'), { start: 0, end: 100 })
    first!.fill(0)
    assert.ok((await f.read('object'))?.equals(bytes))
  })
}

function listCases(fixture: () => Fixture): void {
  it('objects are listed in the order of their keys, over every depth', async () => {
    const f = fixture()
    // '-' and ',' sort before '/', '0' behind it: a walk that orders directories by name alone gets these wrong.
    const names = ['a-b/x', 'a-b/y/z', 'a,', 'a/1', 'a/10', 'a/2/deep/er', 'a/2.log', 'a0', 'a00/x', 'b', 'z/9', 'Z']
    for (const name of names) await f.put(name, Buffer.from(name))
    const sorted = names.toSorted((left, right) => (left < right ? -1 : 1))
    assert.deepEqual(await f.list(), sorted)
    for (const limit of [1, 2, 5, 11, 12, 13]) assert.deepEqual(await f.list('', { limit }), sorted.slice(0, limit))
    for (const [index, name] of sorted.entries()) {
      assert.deepEqual(await f.list('', { after: f.key(name) }), sorted.slice(index + 1))
    }
    assert.deepEqual(
      await f.list('', { after: f.key('a/') }),
      sorted.filter((name) => name > 'a/'),
    )
    assert.deepEqual(await f.list('', { limit: 0 }), [])
  })

  it('a prefix may end anywhere in a name', async () => {
    const f = fixture()
    for (const name of ['log/0001', 'log/0002', 'log/0010', 'logs', 'lo']) await f.put(name, Buffer.from(name))
    assert.deepEqual(await f.list('log/000'), ['log/0001', 'log/0002'])
    assert.deepEqual(await f.list('log/'), ['log/0001', 'log/0002', 'log/0010'])
    assert.deepEqual(await f.list('log'), ['log/0001', 'log/0002', 'log/0010', 'logs'])
    assert.deepEqual(await f.list('lo'), ['lo', 'log/0001', 'log/0002', 'log/0010', 'logs'])
    assert.deepEqual(await f.list('log/0001'), ['log/0001'])
    assert.deepEqual(await f.list('nothing'), [])
    assert.deepEqual(await f.list('log/', { after: f.key('log/0002') }), ['log/0010'])
    assert.deepEqual(await f.list('log/', { after: f.key('zzz') }), [])
    assert.deepEqual(await f.list('log/', { after: f.key('a') }), ['log/0001', 'log/0002', 'log/0010'])
  })

  it('a listed object has its length and a time', async () => {
    const f = fixture()
    await f.put('object', patternBytes(12_345))
    const [listed, ...others] = await f.store.list(f.prefix)
    assert.deepEqual(others, [])
    assert.deepEqual({ ...listed, modifiedAt: 0 }, { key: f.key('object'), length: 12_345, modifiedAt: 0 })
    assert.ok(Number.isFinite(listed!.modifiedAt))
  })

  it('a walk by pages of 7 visits each of 30 objects once', async () => {
    const f = fixture()
    const names = Array.from({ length: 30 }, (_, index) => `${index % 4}/${`${index}`.padStart(3, '0')}`).sort()
    await Promise.all(names.map((name) => f.put(name, Buffer.from(name))))
    const visited: string[] = []
    for (let after: string | undefined; ; after = f.key(visited.at(-1)!)) {
      const page = await f.list('', { limit: 7, ...(after === undefined ? {} : { after }) })
      visited.push(...page)
      if (page.length < 7) break
    }
    assert.deepEqual(visited, names)
  })
}

function deleteCases(fixture: () => Fixture): void {
  it('deleting removes what is named, ignores what is not there and leaves the rest', async () => {
    const f = fixture()
    for (const name of ['a', 'b', 'c/d']) await f.put(name, Buffer.from(name))
    await f.store.delete([f.key('a'), f.key('never'), f.key('c/d'), f.key('no/such/folder')])
    assert.deepEqual(await f.list(), ['b'])
    assert.equal(await f.read('a'), undefined)
    await f.store.delete([f.key('a')])
    await f.store.delete([])
  })

  it('a key that was deleted can be put again', async () => {
    const f = fixture()
    await f.put('x/object', Buffer.from('first'))
    await f.store.delete([f.key('x/object')])
    assert.deepEqual(await f.put('x/object', Buffer.from('second')), { stored: true })
    assert.equal((await f.read('x/object'))?.toString(), 'second')
  })
}

function refusalCases(fixture: () => Fixture): void {
  const keys = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/./b',
    '.hidden',
    'a\\b',
    'a b',
    'a\u0000',
    'é',
    'a%2e',
    'x'.repeat(256),
    'ab/'.repeat(300) + 'c',
  ]
  for (const key of keys) {
    const shown = JSON.stringify(key.length > 20 ? `${key.slice(0, 20)}…` : key)
    it(`the key ${shown} of ${key.length} characters is refused`, async () => {
      const { store } = fixture()
      await assert.rejects(store.put(key, new BytesBody(Buffer.from('x'))), isError('refused'))
      await assert.rejects(store.getRange(key, { start: 0, end: 1 }), isError('refused'))
      await assert.rejects(store.head(key), isError('refused'))
      await assert.rejects(store.delete([key]), isError('refused'))
    })
  }

  it('a range that runs backwards, is negative or no number is refused', async () => {
    const f = fixture()
    await f.put('object', Buffer.from('x'))
    for (const range of [
      { start: 2, end: 1 },
      { start: -1, end: 1 },
      { start: 0, end: NaN },
      { start: 0.5, end: 1 },
    ]) {
      await assert.rejects(f.store.getRange(f.key('object'), range), isError('refused'))
    }
  })

  it('a call whose signal is aborted rejects and stores nothing', async () => {
    const f = fixture()
    const signal = AbortSignal.abort()
    await assert.rejects(f.store.put(f.key('object'), new BytesBody(patternBytes(10)), signal), isError('away'))
    await assert.rejects(f.store.getRange(f.key('object'), { start: 0, end: 1 }, signal), isError('away'))
    assert.equal(await f.store.head(f.key('object')), undefined)
  })
}

function isError(code: ObjectStoreError['code']) {
  return (error: unknown) => error instanceof ObjectStoreError && error.code === code
}
