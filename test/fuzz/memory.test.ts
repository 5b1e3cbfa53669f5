// A frame is paid for by whoever sends it, what is made of it by us. For every array of every request: a frame that is full
// of its smallest elements either decodes to no more than twice its size and 8 MiB, or is refused.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { apis } from '../../broker/protocol/apis.ts'
import { codec, encode } from '../../broker/protocol/codec.ts'
import { consumerProtocolAssignment } from '../../broker/protocol/messages/consumer-protocol-assignment.ts'
import { consumerProtocolSubscription } from '../../broker/protocol/messages/consumer-protocol-subscription.ts'
import { fetchApi } from '../../broker/protocol/messages/fetch.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { MalformedMessage, Reader } from '../../broker/protocol/reader.ts'
import { type AnyField, includes, type Message, type Shape } from '../../broker/protocol/schema.ts'
import { defaultOf, type Value } from '../support/random-message.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const frameBytes = 1024 * 1024
const heapBytesMax = 2 * frameBytes + 8 * 1024 * 1024

/** Where arrays are in a message, as the names on the way to each. */
function arraysIn(shape: Shape, version: number, path: readonly string[] = []): (readonly string[])[] {
  return Object.entries(shape).filter(([, field]) => includes(field.facts.versions, version)).flatMap(([name, { type }]) => {
    const place = [...path, name]
    if (type.kind === 'struct') return arraysIn(type.shape, version, place)
    if (type.kind !== 'array') return []
    return [place, ...(type.element.type.kind === 'struct' ? arraysIn(type.element.type.shape, version, place) : [])]
  })
}

interface Filling {
  readonly version: number
  /** The array that is filled, as the names on the way there. */
  readonly path: readonly string[]
  readonly count: number
  /** The outermost array has all the elements, and those inside one each; or the other way round. */
  readonly isOutside: boolean
}

function filled(shape: Shape, filling: Filling, depth = 0): Value {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, fill(field, filling, depth, filling.path[depth] === name)]))
}

/** Not empty: V8 has one empty string for all. */
const smallest = new Map<string, unknown>([['string', 'ab'], ['bytes', Buffer.of(1)], ['records', [Buffer.of(1)]]])

function fill(field: AnyField, filling: Filling, depth: number, isOnPath: boolean): unknown {
  const { type, facts } = field
  if (!includes(facts.versions, filling.version)) return defaultOf(field)
  if (type.kind === 'struct') return filled(type.shape, isOnPath ? filling : { ...filling, path: [] }, depth + 1)
  if (type.kind === 'primitive') return smallest.get(type.name) ?? defaultOf(field)
  if (!isOnPath) return []
  const isLast = depth === filling.path.length - 1
  const length = (filling.isOutside ? depth === 0 : isLast) ? filling.count : 1
  const element = type.element.type.kind === 'struct'
    ? filled(type.element.type.shape, filling, depth + 1)
    : fill(type.element, { ...filling, path: [] }, depth + 1, false)
  return new Array<unknown>(length).fill(element)
}

/** As many of the smallest elements as fit. */
function bomb(message: Message, filling: Omit<Filling, 'count'>): Buffer {
  const encoded = (count: number): Buffer => encode(message, filling.version, filled(message.shape, { ...filling, count }) as never)
  const elementBytes = (encoded(101).length - encoded(1).length) / 100
  return encoded(Math.max(1, Math.floor(frameBytes / elementBytes)))
}

/** What stays in memory of what was decoded; undefined: it was refused. */
function heapBytesOf(message: Message, version: number, bytes: Buffer): number | undefined {
  collect()
  const before = process.memoryUsage()
  let decoded: unknown
  try {
    decoded = codec(message, version).read(new Reader(bytes))
  } catch (cause) {
    assert.ok(cause instanceof MalformedMessage, String(cause))
    return undefined
  }
  collect()
  const after = process.memoryUsage()
  assert.ok(decoded !== undefined)
  return after.heapUsed + after.external - before.heapUsed - before.external
}

describe('a frame full of the smallest elements takes a bounded amount of memory', () => {
  const found: { readonly isRefused: boolean }[] = []
  for (const message of [...apis.map(({ request }) => request), consumerProtocolSubscription, consumerProtocolAssignment]) {
    const version = message.versions.end
    const paths = arraysIn(message.shape, version)
    if (paths.length === 0) continue
    test(`of ${message.name}`, () => {
      for (const path of paths) {
        for (const isOutside of path.length > 1 ? [true, false] : [true]) {
          const bytes = bomb(message, { version, path, isOutside })
          codec(message, version)
          const heapBytes = heapBytesOf(message, version, bytes)
          found.push({ isRefused: heapBytes === undefined })
          if (heapBytes !== undefined) assert.ok(heapBytes <= heapBytesMax, `${path.join('.')}: ${bytes.length} bytes became ${heapBytes}`)
        }
      }
    })
  }

  test('and both happens: some are read, some refused', () => {
    assert.ok(found.filter(({ isRefused }) => isRefused).length > 5)
    assert.ok(found.filter(({ isRefused }) => !isRefused).length > 5)
  })
})

describe('what clients really send is not refused', () => {
  test('a Fetch of 60,000 partitions', () => {
    const partitions = Array.from({ length: 60_000 }, (_, partition) => ({ partition, fetchOffset: 5e9, partitionMaxBytes: 1 << 20 }))
    const bytes = encode(fetchApi.request, 18, { maxWaitMs: 1, minBytes: 1, forgottenTopicsData: [], topics: [{ topic: '', partitions }] })
    assert.equal(codec(fetchApi.request, 18).read(new Reader(bytes)).topics[0]!.partitions.length, 60_000)
  })

  test('a Metadata of 100,000 topics by name', () => {
    const topics = Array.from({ length: 100_000 }, (_, index) => ({ name: `a-topic-with-a-name-${index}` }))
    const bytes = encode(metadataApi.request, 9, { topics, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false })
    assert.equal(codec(metadataApi.request, 9).read(new Reader(bytes)).topics!.length, 100_000)
  })
})
