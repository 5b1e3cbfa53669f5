import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { type ObjectStore, ObjectStoreError } from '../../broker/objects/object-store.ts'
import { openS3Store, type S3StoreOptions } from '../../broker/objects/s3-store.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { type Fate, LossyProxy, type SeenRequest } from '../support/lossy-proxy.ts'
import { BytesBody, patternBytes } from '../support/object-body.ts'

// What the store makes of answers, against a server whose answers are made up here. What S3 itself does is in
// test/localstack.

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'test'

let server: LossyProxy
const stores: ObjectStore[] = []
before(async () => {
  server = await LossyProxy.open()
})
after(() => server.close())
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})

async function open(options: Partial<S3StoreOptions> = {}): Promise<ObjectStore> {
  const store = await openS3Store({
    bucket: 'bucket',
    region: 'eu-central-1',
    endpoint: server.endpoint,
    clock: nodeClock,
    random: nodeRandom,
    backoff: { firstMs: 1, maxMs: 2 },
    singlePutBytesMax: 1000,
    partBytes: 400,
    ...options,
  })
  stores.push(store)
  return store
}

/** What a request is called in the API reference. */
function operationOf({ method, url }: SeenRequest): string {
  const query = new URL(url, 'http://host').searchParams
  if (method === 'HEAD') return 'head'
  if (method === 'GET') return query.has('list-type') ? 'list' : 'get'
  if (method === 'DELETE') return 'abort'
  if (method === 'PUT') return query.has('partNumber') ? `part ${query.get('partNumber')}` : 'put'
  if (query.has('uploads')) return 'create'
  return query.has('delete') ? 'delete' : 'complete'
}

/** Answers one request after another, each of which must be of the operation named. */
function script(...expected: readonly (readonly [string, Fate])[]): SeenRequest[] {
  const seen: SeenRequest[] = []
  server.decide = (request) => {
    const [operation, fate] = expected[seen.length] ?? []
    seen.push(request)
    assert.equal(operationOf(request), operation, `request ${seen.length}`)
    return fate!
  }
  return seen
}

const failing = (status: number, code: string): Fate => {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  }
}
const xml = (body: string): Fate => ({ status: 200, headers: { 'content-type': 'application/xml' }, body })
const ok: Fate = { status: 200, headers: { etag: '"etag"' } }
const created = xml('<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>')
const completed = xml('<CompleteMultipartUploadResult><ETag>"etag"</ETag></CompleteMultipartUploadResult>')
const isError = (code: ObjectStoreError['code']) => (error: unknown) => error instanceof ObjectStoreError && error.code === code

const small = new BytesBody(patternBytes(500))
const large = new BytesBody(patternBytes(1001))
const checksum = (body: BytesBody) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(body.crc32c)
  return bytes.toString('base64')
}
const held = (body: BytesBody, crc = checksum(body), length = body.length): Fate => {
  return {
    status: 200,
    headers: { 'content-length': `${length}`, 'x-amz-checksum-crc32c': crc, 'x-amz-checksum-type': 'FULL_OBJECT' },
  }
}
const missing: readonly (readonly [string, Fate])[] = [
  ['head', { status: 404 }],
  ['get', failing(404, 'NoSuchKey')],
]
const parts = ['part 1', 'part 2', 'part 3'].map((operation) => [operation, ok] as const)

describe('what is sent', () => {
  it('a small object is one conditional request with the checksum of the whole', async () => {
    const store = await open({ prefix: 'some/prefix' })
    const seen = script(['put', ok])
    assert.deepEqual(await store.put('a/b', small), { stored: true })
    const { url, headers, body } = seen[0]!
    assert.equal(url.split('?')[0], '/bucket/some/prefix/a/b')
    assert.equal(headers['if-none-match'], '*')
    assert.equal(headers['x-amz-checksum-crc32c'], checksum(small))
    assert.equal(headers['content-length'], '500')
    assert.ok(body.equals(patternBytes(500)))
  })

  it('a large object goes in parts, completed under the condition with the checksum of the whole', async () => {
    const store = await open()
    const seen = script(['create', created], ...parts, ['complete', completed])
    assert.deepEqual(await store.put('key', large), { stored: true })
    assert.equal(seen[0]!.headers['x-amz-checksum-type'], 'FULL_OBJECT')
    assert.ok(Buffer.concat(seen.slice(1, 4).map(({ body }) => body)).equals(patternBytes(1001)))
    assert.deepEqual(
      seen.slice(1, 4).map(({ body }) => body.length),
      [400, 400, 201],
    )
    assert.ok(seen.slice(1, 4).every(({ headers }) => headers['x-amz-checksum-crc32c']))
    assert.equal(seen[4]!.headers['if-none-match'], '*')
    assert.equal(seen[4]!.headers['x-amz-checksum-crc32c'], checksum(large))
  })
})

describe('a key that is taken', () => {
  const taken = failing(412, 'PreconditionFailed')
  const rows: readonly [string, Fate, boolean][] = [
    ['the same length and checksum', held(small), true],
    ['another checksum', held(small, 'AAAAAA=='), false],
    ['another length', held(small, checksum(small), 501), false],
  ]
  for (const [name, found, stored] of rows) {
    it(`by an object of ${name} means stored: ${stored}`, async () => {
      const store = await open()
      script(['put', taken], ['head', found])
      assert.deepEqual(await store.put('key', small), { stored })
    })
  }

  it('by an object without a checksum of the whole is compared by its bytes', async () => {
    const store = await open()
    const bytes = (content: Buffer): Fate => ({ status: 206, headers: { 'content-range': 'bytes 0-499/500' }, body: content })
    const composite = { 'x-amz-checksum-crc32c': 'AAAAAA==-2', 'x-amz-checksum-type': 'COMPOSITE' }
    for (const headers of [{}, composite] as Record<string, string>[]) {
      const plain: Fate = { status: 200, headers: { 'content-length': '500', ...headers } }
      script(['put', taken], ['head', plain], ['get', bytes(patternBytes(500))])
      assert.deepEqual(await store.put('key', small), { stored: true })
      script(['put', taken], ['head', plain], ['get', bytes(patternBytes(500, 2))])
      assert.deepEqual(await store.put('key', small), { stored: false })
    }
  })

  it('in parts is found at the end, and the upload is aborted', async () => {
    const store = await open()
    script(['create', created], ...parts, ['complete', taken], ['abort', { status: 204 }], ['head', held(large, 'AAAAAA==')])
    assert.deepEqual(await store.put('key', large), { stored: false })
  })

  it('and free again when we look is put again', async () => {
    const store = await open()
    script(['put', taken], ...missing, ['put', ok])
    assert.deepEqual(await store.put('key', small), { stored: true })
  })
})

describe('another write to the key at the same time', () => {
  const contested = failing(409, 'ConditionalRequestConflict')

  it('that is over when we look decides', async () => {
    const store = await open()
    script(['put', contested], ['head', held(small, 'AAAAAA==')])
    assert.deepEqual(await store.put('key', small), { stored: false })
  })

  it('that leaves nothing is followed by another try, in parts from the start', async () => {
    const store = await open()
    script(['put', contested], ...missing, ['put', ok])
    assert.deepEqual(await store.put('key', small), { stored: true })
    const aborted = ['abort', { status: 204 }] as const
    script(['create', created], ...parts, ['complete', contested], aborted, ...missing, ['create', created], ...parts, [
      'complete',
      completed,
    ])
    assert.deepEqual(await store.put('key', large), { stored: true })
  })

  it('that never ends is a store that is away', async () => {
    const store = await open({ retryMs: 0 })
    script(['put', contested], ...missing)
    await assert.rejects(store.put('key', small), isError('away'))
  })
})

describe('a server in trouble', () => {
  const troubles: readonly [string, Fate][] = [
    ['SlowDown', failing(503, 'SlowDown')],
    ['an internal error', failing(500, 'InternalError')],
    ['a connection that breaks', 'lose request'],
    ['a gateway without a body', { status: 502 }],
    ['too many requests', { status: 429 }],
  ]
  for (const [name, trouble] of troubles) {
    it(`${name} is tried again, in every call`, async () => {
      const store = await open()
      script(['put', trouble], ['put', trouble], ['put', ok])
      assert.deepEqual(await store.put('key', small), { stored: true })
      script(
        ['create', trouble],
        ['create', created],
        ['part 1', trouble],
        ...parts,
        ['complete', trouble],
        ['complete', completed],
      )
      assert.deepEqual(await store.put('key', large), { stored: true })
      script(['get', trouble], ['get', { status: 206, headers: { 'content-range': 'bytes 0-2/3' }, body: 'abc' }])
      assert.equal((await store.getRange('key', { start: 0, end: 9 }))?.toString(), 'abc')
      script(['head', trouble], ['head', held(small)])
      assert.deepEqual(await store.head('key'), { length: 500 })
      script(['list', trouble], ['list', xml('<ListBucketResult></ListBucketResult>')])
      assert.deepEqual(await store.list(''), [])
      script(['delete', trouble], ['delete', xml('<DeleteResult></DeleteResult>')])
      await store.delete(['key'])
    })

    it(`${name} that lasts is a store that is away`, async () => {
      const store = await open({ retryMs: 0 })
      script(['put', trouble])
      await assert.rejects(store.put('key', small), isError('away'))
      script(['create', created], ['part 1', trouble], ['abort', { status: 204 }])
      await assert.rejects(store.put('key', large), isError('away'))
      script(['get', trouble])
      await assert.rejects(store.getRange('key', { start: 0, end: 9 }), isError('away'))
    })
  }

  it('a success with an error inside, as CompleteMultipartUpload sends it, is no success', async () => {
    const store = await open()
    const inside = xml(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>',
    )
    script(['create', created], ...parts, ['complete', inside], ['complete', completed])
    assert.deepEqual(await store.put('key', large), { stored: true })
    script(
      ['create', created],
      ...parts,
      ['complete', inside],
      ['complete', failing(404, 'NoSuchUpload')],
      ['abort', { status: 404 }],
      ['head', held(large)],
    )
    assert.deepEqual(await store.put('key', large), { stored: true })
  })

  it('a put whose checksum the server does not find is damaged, and not tried again', async () => {
    const store = await open()
    script(['put', failing(400, 'BadDigest')])
    await assert.rejects(store.put('key', small), isError('damaged'))
  })

  it('what would never work is refused, and not tried again', async () => {
    const store = await open()
    for (const trouble of [
      failing(403, 'AccessDenied'),
      failing(404, 'NoSuchBucket'),
      failing(400, 'InvalidRequest'),
      failing(301, 'PermanentRedirect'),
    ]) {
      script(['put', trouble])
      await assert.rejects(store.put('key', small), isError('refused'))
      script(['get', trouble])
      await assert.rejects(store.getRange('key', { start: 0, end: 9 }), isError('refused'))
    }
  })

  it('a HEAD that finds nothing in a bucket that does not exist is refused: it is not an object that is missing', async () => {
    const store = await open()
    script(['head', { status: 404 }], ['get', failing(404, 'NoSuchBucket')])
    await assert.rejects(store.head('key'), isError('refused'))
  })

  it('a range is held against what was asked for', async () => {
    const store = await open({ retryMs: 0 })
    const answers: readonly [Fate, ObjectStoreError['code']][] = [
      [{ status: 206, headers: { 'content-range': 'bytes 10-19/100' }, body: '0123456789' }, 'refused'],
      [{ status: 206, headers: { 'content-range': 'bytes 0-4/100' }, body: '01234' }, 'refused'],
      [{ status: 200, body: 'the whole object, for a proxy that ignores ranges' }, 'refused'],
      [{ status: 206, headers: { 'content-range': 'bytes 0-9/100' }, body: '01234' }, 'away'],
      [{ status: 206, headers: { 'content-range': 'bytes 0-9/100' }, body: '0123456789abc' }, 'away'],
    ]
    for (const [answer, code] of answers) {
      script(['get', answer])
      await assert.rejects(store.getRange('key', { start: 0, end: 10 }), isError(code))
    }
  })

  it('a server that does not answer in time is given up, and its connection is not kept', async () => {
    const store = await open({ requestTimeoutMs: 50, retryMs: 0 })
    server.decide = () => 'stall'
    await assert.rejects(store.put('key', small), isError('away'))
    await assert.rejects(store.getRange('key', { start: 0, end: 10 }), isError('away'))
    for (let tries = 0; (await server.connections()) > 0; tries++) {
      assert.ok(tries < 200, 'a connection is still open')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

  it('a list goes on where S3 returned fewer than it was asked for', async () => {
    const store = await open()
    const page = (key: string, isTruncated: boolean) =>
      xml(`<R><IsTruncated>${isTruncated}</IsTruncated><Contents><Key>${key}</Key><Size>3</Size></Contents></R>`)
    const seen = script(['list', page('a', true)], ['list', page('b', false)])
    assert.deepEqual(
      (await store.list('', { limit: 10 })).map(({ key }) => key),
      ['a', 'b'],
    )
    assert.match(seen[1]!.url, /start-after=a/)
  })

  it('objects that were not deleted are an error that names one of them', async () => {
    const store = await open()
    const left = (code: string) => xml(`<DeleteResult><Error><Key>b</Key><Code>${code}</Code></Error></DeleteResult>`)
    script(['delete', left('InternalError')])
    await assert.rejects(
      store.delete(['a', 'b']),
      (error) => isError('away')(error) && /1 of 2 .* b for InternalError/.test((error as Error).message),
    )
    script(['delete', left('AccessDenied')])
    await assert.rejects(store.delete(['a', 'b']), isError('refused'))
  })
})

describe('limits', () => {
  it('an object that would need more than 10,000 parts is refused', async () => {
    const store = await open()
    const body = { length: 400 * 10_000 + 1, crc32c: 0, chunks: () => small.chunks() }
    await assert.rejects(store.put('key', body), isError('refused'))
  })

  it('more calls than may wait are refused as away', async () => {
    const store = await open({ requestsMax: 1, waitingCallsMax: 2 })
    server.decide = () => held(small)
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.head('key')))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
    )
  })

  it('closing lets what is under way end, and refuses what comes later as away', async () => {
    const store = await open()
    server.decide = () => ok
    const puts = Array.from({ length: 40 }, (_, index) => store.put(`key-${index}`, small))
    const closed = store.close()
    await assert.rejects(store.head('key'), isError('away'))
    await closed
    assert.ok((await Promise.all(puts)).every(({ stored }) => stored))
  })
})
