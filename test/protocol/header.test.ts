import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { apis } from '../../broker/protocol/apis.ts'
import { decode, encode } from '../../broker/protocol/codec.ts'
import { type DecodedRequest, decodeRequest, encodeResponse } from '../../broker/protocol/header.ts'
import { apiVersionsApi } from '../../broker/protocol/messages/api-versions.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { heartbeatApi } from '../../broker/protocol/messages/heartbeat.ts'
import { MalformedMessage } from '../../broker/protocol/reader.ts'
import type { Api } from '../../broker/protocol/schema.ts'
import { versionsOf } from '../support/declared-messages.ts'
import { givenOf, randomMessage } from '../support/random-message.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const byKey = new Map(apis.map((api) => [api.key, api]))
const apiOf = (key: number): Api | undefined => byKey.get(key)

/** A request as a client sends it, without its length. */
function frame(api: { readonly key: number }, version: number, parts: { readonly clientId?: Buffer; readonly tags?: Buffer; readonly body: Buffer }): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt16BE(api.key)
  head.writeInt16BE(version, 2)
  head.writeInt32BE(77, 4)
  return Buffer.concat([head, parts.clientId ?? Buffer.from([0, 2, 0x6d, 0x65]), parts.tags ?? Buffer.alloc(0), parts.body])
}

function served(decoded: DecodedRequest): DecodedRequest & { kind: 'request' } {
  if (decoded.kind !== 'request') assert.fail('not understood')
  return decoded
}

const heartbeat = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: null }

describe('a request', () => {
  test('has tagged fields in its header exactly where its version is flexible', () => {
    const old = frame(heartbeatApi, 3, { body: encode(heartbeatApi.request, 3, heartbeat) })
    assert.deepEqual(served(decodeRequest(old, apiOf)).body, heartbeat)
    const tags = Buffer.from([1, 9, 2, 0xaa, 0xbb])
    const flexible = frame(heartbeatApi, 4, { tags, body: encode(heartbeatApi.request, 4, heartbeat) })
    const { header, body } = served(decodeRequest(flexible, apiOf))
    assert.deepEqual(body, heartbeat)
    assert.deepEqual(header, { key: 12, version: 4, correlationId: 77, clientId: 'me' })
  })

  test('has a client id that is never compact, may be null and may be empty', () => {
    const body = encode(heartbeatApi.request, 4, heartbeat)
    const tags = Buffer.of(0)
    assert.equal(served(decodeRequest(frame(heartbeatApi, 4, { clientId: Buffer.from([0xff, 0xff]), tags, body }), apiOf)).header.clientId, null)
    assert.equal(served(decodeRequest(frame(heartbeatApi, 4, { clientId: Buffer.from([0, 0]), tags, body }), apiOf)).header.clientId, '')
    for (const clientId of [[0xff, 0xfe], [0x80, 0], [0x7f, 0xff]]) {
      assert.throws(() => decodeRequest(frame(heartbeatApi, 4, { clientId: Buffer.from(clientId), tags, body }), apiOf), MalformedMessage)
    }
  })

  test('is read to its last byte, for every API and version', () => {
    const random = new SeededRandom(11)
    for (const api of apis) {
      for (const version of versionsOf(api)) {
        const value = randomMessage(api.request, version, random)
        const tags = version >= api.flexible ? Buffer.of(0) : Buffer.alloc(0)
        const bytes = frame(api, version, { tags, body: encode(api.request, version, givenOf(api.request.shape, value) as never) })
        assert.deepEqual(served(decodeRequest(bytes, apiOf)).body, value)
        // librdkafka leaves bytes behind some requests, and Kafka does not mind.
        assert.deepEqual(served(decodeRequest(Buffer.concat([bytes, Buffer.of(1, 0, 0)]), apiOf)).body, value)
        assert.throws(() => decodeRequest(bytes.subarray(0, -1), apiOf), MalformedMessage)
      }
    }
  })

  test('of a key or version that is not served is not read beyond its correlation id', () => {
    for (const [key, version] of [[fetchApi.key, 99], [fetchApi.key, -1], [fetchApi.key, 3], [9999, 0], [-1, 0], [apiVersionsApi.key, 99]] as const) {
      const decoded = decodeRequest(frame({ key }, version, { clientId: Buffer.alloc(0), body: Buffer.from('anything') }), apiOf)
      assert.deepEqual(decoded, { kind: 'unsupported', key, version, correlationId: 77 })
    }
  })

  test('of fewer bytes than a header has is malformed', () => {
    for (let length = 0; length < 8; length++) assert.throws(() => decodeRequest(Buffer.alloc(length), apiOf), MalformedMessage)
  })
})

describe('a response', () => {
  function reply(api: Api, version: number, response: object): Buffer {
    const bytes = Buffer.concat(encodeResponse(api, { version, correlationId: 77 }, response))
    assert.equal(bytes.readInt32BE(0), bytes.length - 4)
    assert.equal(bytes.readInt32BE(4), 77)
    return bytes.subarray(8)
  }

  test('has tagged fields in its header exactly where its version is flexible', () => {
    assert.deepEqual(reply(heartbeatApi, 3, { errorCode: 5 }), encode(heartbeatApi.response, 3, { errorCode: 5 }))
    assert.deepEqual(reply(heartbeatApi, 4, { errorCode: 5 }), Buffer.concat([Buffer.of(0), encode(heartbeatApi.response, 4, { errorCode: 5 })]))
  })

  test('of ApiVersions never has them, so that a client that knows less can read it (KIP-511)', () => {
    for (const version of versionsOf(apiVersionsApi)) {
      const body = reply(apiVersionsApi, version, { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] })
      assert.equal(body.readInt16BE(0), 35)
      assert.deepEqual(decode(apiVersionsApi.response, version, body).apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
    }
  })

  test('counts the record batches that it passes on in its length', () => {
    const records = [Buffer.alloc(70_000, 1), Buffer.alloc(3, 2)]
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, abortedTransactions: null, records }
    const body = reply(fetchApi, 4, { errorCode: 0, responses: [{ topic: 't', partitions: [partition] }] })
    assert.deepEqual(decode(fetchApi.response, 4, body).responses[0]!.partitions[0]!.records, Buffer.concat(records))
  })
})
