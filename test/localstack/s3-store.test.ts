import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { ListMultipartUploadsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '../../broker/objects/object-store.ts'
import { openS3Store, type S3StoreOptions } from '../../broker/objects/s3-store.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { objectStoreCases } from '../cases/object-store.cases.ts'
import { type Fate, LossyProxy, type SeenRequest } from '../support/lossy-proxy.ts'
import { BytesBody, patternBytes } from '../support/object-body.ts'
import { localstackUrl, region } from './localstack.ts'

const url = localstackUrl()
const bucket = `longtail-${randomUUID()}`
/** The least that S3 takes for a part. */
const partBytes = 5 * 1024 * 1024

const open = (endpoint: string, options: Partial<S3StoreOptions> = {}) =>
  openS3Store({
    bucket,
    prefix: 'some/prefix',
    region,
    endpoint,
    clock: nodeClock,
    random: nodeRandom,
    createMissing: true,
    singlePutBytesMax: partBytes,
    partBytes,
    backoff: { firstMs: 1, maxMs: 5 },
    ...options,
  })

objectStoreCases('S3', () => open(url), {
  singlePutBytesMax: partBytes,
  noRaceInParts: 'LocalStack looks at the condition of CompleteMultipartUpload before it stores, without a lock',
})

describe('what the network does to S3', () => {
  let proxy: LossyProxy
  let store: ObjectStore
  const client = new S3Client({ endpoint: url, region, forcePathStyle: true })
  before(async () => {
    proxy = await LossyProxy.open(url)
    store = await open(proxy.endpoint)
  })
  after(async () => {
    await store.close()
    await proxy.close()
    client.destroy()
  })

  const kinds: readonly [string, (request: SeenRequest) => boolean][] = [
    ['PutObject', ({ method, url }) => method === 'PUT' && !url.includes('partNumber')],
    ['CreateMultipartUpload', ({ method, url }) => method === 'POST' && url.includes('uploads')],
    ['UploadPart', ({ method, url }) => method === 'PUT' && url.includes('partNumber')],
    ['CompleteMultipartUpload', ({ method, url }) => method === 'POST' && url.includes('uploadId')],
    ['HeadObject', ({ method }) => method === 'HEAD'],
    ['GetObject', ({ method, url }) => method === 'GET' && !url.includes('list-type')],
    ['ListObjectsV2', ({ method, url }) => method === 'GET' && url.includes('list-type')],
    ['DeleteObjects', ({ method, url }) => method === 'POST' && url.includes('delete')],
  ]

  /** The next requests of a kind meet these fates; what comes after and all others get through. */
  function next(kind: string, ...fates: readonly Fate[]): () => number {
    const isKind = kinds.find(([name]) => name === kind)![1]
    let count = 0
    proxy.decide = (request) => (isKind(request) ? (fates[count++] ?? 'forward') : 'forward')
    return () => count
  }

  const key = () => `v1/${randomUUID()}`
  const read = (at: string, length: number) => store.getRange(at, { start: 0, end: length })
  const openUploads = async () => (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0

  for (const fate of ['lose answer', 'lose request'] as const) {
    for (const [name, length, kind] of [
      ['one request', 300_000, 'PutObject'],
      ['parts, of which one is lost', partBytes + 1000, 'UploadPart'],
      ['parts that are begun twice', partBytes + 1000, 'CreateMultipartUpload'],
      ['parts that are completed twice', partBytes + 1000, 'CompleteMultipartUpload'],
    ] as const) {
      it(`an object in ${name} is stored once although the network does: ${fate}`, async () => {
        const at = key()
        const bytes = patternBytes(length, 7)
        const sent = next(kind, fate)
        assert.deepEqual(await store.put(at, new BytesBody(bytes)), { stored: true })
        assert.ok(sent() >= 2)
        assert.ok((await read(at, length))?.equals(bytes))
      })
    }

    it(`reads, lists and deletes get through although the network does: ${fate}`, async () => {
      const at = key()
      next('PutObject')
      await store.put(at, new BytesBody(patternBytes(1000)))
      next('GetObject', fate, fate)
      assert.ok((await read(at, 1000))?.equals(patternBytes(1000)))
      next('HeadObject', fate)
      assert.deepEqual(await store.head(at), { length: 1000 })
      next('ListObjectsV2', fate)
      assert.deepEqual(
        (await store.list(at)).map((object) => object.key),
        [at],
      )
      next('DeleteObjects', fate)
      await store.delete([at])
      assert.equal(await store.head(at), undefined)
    })
  }

  it('an answer that ends early, or runs dry, is not taken for a range', async () => {
    const at = key()
    next('PutObject')
    await store.put(at, new BytesBody(patternBytes(200_000)))
    next('GetObject', 'cut answer', 'cut answer')
    assert.ok((await read(at, 200_000))?.equals(patternBytes(200_000)))
    const hasty = await open(proxy.endpoint, { requestTimeoutMs: 100, bytesPerSecondMin: 10_000_000 })
    const sent = next('GetObject', 'stall answer')
    assert.ok((await hasty.getRange(at, { start: 0, end: 200_000 }))?.equals(patternBytes(200_000)))
    assert.equal(sent(), 2)
    await hasty.close()
  })

  it('a put whose answer was lost, of a key that another has, is not stored', async () => {
    const at = key()
    next('PutObject')
    await store.put(at, new BytesBody(patternBytes(5000, 1)))
    next('PutObject', 'lose request')
    assert.deepEqual(await store.put(at, new BytesBody(patternBytes(5000, 2))), { stored: false })
  })

  it('an object that somebody put without a checksum is compared by its bytes', async () => {
    const at = key()
    const bytes = patternBytes(partBytes - 5)
    next('PutObject')
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: `some/prefix/${at}`, Body: bytes }))
    assert.deepEqual(await store.put(at, new BytesBody(bytes)), { stored: true })
    const other = Buffer.from(bytes)
    other[100]! ^= 1
    assert.deepEqual(await store.put(at, new BytesBody(other)), { stored: false })
  })

  it('an upload in parts that fails, loses the race or is called off is aborted', async () => {
    next('PutObject')
    // One whose beginning was lost is nobody's to abort; the tests above leave such.
    const before = await openUploads()
    const body = new BytesBody(patternBytes(partBytes + 1000))
    const taken = key()
    await store.put(taken, new BytesBody(patternBytes(10)))
    assert.deepEqual(await store.put(taken, body), { stored: false })
    const damaged = { length: body.length, crc32c: body.crc32c ^ 1, chunks: () => body.chunks() }
    await assert.rejects(store.put(key(), damaged), { code: 'damaged' })
    const calledOff = new AbortController()
    proxy.decide = ({ url }) => {
      if (url.includes('partNumber')) calledOff.abort()
      return 'forward'
    }
    await assert.rejects(store.put(key(), body, calledOff.signal), { code: 'away' })
    assert.equal(await openUploads(), before)
  })

  it('a bucket that does not exist is refused, and never passes for one that is empty', async () => {
    const nowhere = await open(url, { bucket: `longtail-${randomUUID()}`, createMissing: false })
    const refused = { name: 'ObjectStoreError', code: 'refused' }
    await assert.rejects(nowhere.head('object'), refused)
    await assert.rejects(nowhere.getRange('object', { start: 0, end: 1 }), refused)
    await assert.rejects(nowhere.list(''), refused)
    await assert.rejects(nowhere.delete(['object']), refused)
    await assert.rejects(nowhere.put('object', new BytesBody(patternBytes(10))), refused)
    await assert.rejects(nowhere.put('object', new BytesBody(patternBytes(partBytes + 1))), refused)
    await nowhere.close()
  })

  it('a call that is aborted in the middle of its answer rejects, and its connection is not kept', async () => {
    const at = key()
    next('PutObject')
    await store.put(at, new BytesBody(patternBytes(200_000)))
    const lossy = await LossyProxy.open(url)
    const own = await open(lossy.endpoint, { createMissing: false })
    const controller = new AbortController()
    lossy.decide = () => {
      setTimeout(() => controller.abort(), 50)
      return 'stall answer'
    }
    await assert.rejects(own.getRange(at, { start: 0, end: 200_000 }, controller.signal), { code: 'away' })
    for (let tries = 0; (await lossy.connections()) > 0; tries++) {
      assert.ok(tries < 200, 'a connection is still open')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await own.close()
    await lossy.close()
  })
})
