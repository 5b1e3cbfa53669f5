import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { openObjectStore, parseObjectStoreAddress } from '../../broker/objects/open-object-store.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { BytesBody } from '../support/object-body.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

describe('the address of an object store', () => {
  const right = [
    ['file:/var/lib/objects', { kind: 'folder', path: '/var/lib/objects' }],
    ['file:./data/objects', { kind: 'folder', path: resolve('data/objects') }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
    ['s3://my.bucket-1/', { kind: 's3', bucket: 'my.bucket-1', prefix: '' }],
    ['s3://bucket/some/prefix/', { kind: 's3', bucket: 'bucket', prefix: 'some/prefix' }],
    [
      's3://bucket/prefix?endpoint=https://store.example:9000&region=us-east-1',
      { kind: 's3', bucket: 'bucket', prefix: 'prefix', endpoint: 'https://store.example:9000', region: 'us-east-1' },
    ],
  ] as const
  for (const [text, address] of right) {
    it(`${text} is understood`, () => assert.deepEqual(parseObjectStoreAddress(text), address))
  }

  const wrong: readonly [string, RegExp][] = [
    ['', /file:PATH or s3:\/\/BUCKET/],
    ['/var/lib/objects', /file:PATH or s3:\/\/BUCKET/],
    ['s3:bucket', /file:PATH or s3:\/\/BUCKET/],
    ['gs://bucket', /file:PATH or s3:\/\/BUCKET/],
    ['s3://Bucket', /3 to 63 lower-case/],
    ['s3:///prefix', /3 to 63 lower-case/],
    ['s3://bucket/../other', /not a key for an object/],
    ['s3://bucket//prefix', /not a key for an object/],
    [`s3://bucket/${'p'.repeat(101)}`, /longer than 100 bytes/],
    ['s3://bucket?endpoint=ftp://host', /must be a URL such as/],
    ['s3://bucket?path-style=true', /only endpoint and region/],
  ]
  for (const [text, problem] of wrong) {
    it(`${JSON.stringify(text)} is refused, and the error says what is allowed`, () => {
      assert.throws(
        () => parseObjectStoreAddress(text),
        (error: Error & { code?: string }) => {
          return error.name === 'ObjectStoreError' && error.code === 'refused' && problem.test(error.message)
        },
      )
    })
  }

  it('opens a folder, which is made', async () => {
    const path = join(temporaryDirectory(), 'objects')
    const store = await openObjectStore(`file:${path}`, { disk: nodeDisk, clock: nodeClock, random: nodeRandom })
    await store.put('a/b', new BytesBody(Buffer.from('content')))
    await store.close()
    assert.ok(existsSync(join(path, 'a/b')))
  })
})
