// What is fuzzed, and what may come out of each: a value, a refusal that is a value, or the one error that says
// that the bytes are wrong.

import { type LogConfig } from '../../broker/log/log-config.ts'
import { validateAppend } from '../../broker/log/append-validation.ts'
import { FrameLengthError, FrameSplitter } from '../../broker/net/frame-splitter.ts'
import { apis } from '../../broker/protocol/apis.ts'
import { codec, encode } from '../../broker/protocol/codec.ts'
import { decompress } from '../../broker/protocol/compression/decompress.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { decodeRequest } from '../../broker/protocol/header.ts'
import { MalformedMessage, Reader } from '../../broker/protocol/reader.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { BufferPool } from '../../broker/runtime/buffer-pool.ts'
import { decodeFooter, encodeTrailer, footerBytesMax } from '../../broker/tier/object-format.ts'
import { decodeAborted, decodeChecksums, decodeEpochs, decodeOffsets, decodeTimes, encodeAborted, encodeChecksums, encodeEpochs, encodeOffsets,
  encodeTimes } from '../../broker/tier/object-sections.ts'
import { TierError } from '../../broker/tier/tier-error.ts'
import { aBatch, aMarker, aMoment } from '../support/a-batch.ts'
import { compressors, repacked } from '../support/compressors.ts'
import { declaredMessages, versionsOf } from '../support/declared-messages.ts'
import { givenOf, randomMessage } from '../support/random-message.ts'
import { recordBatch } from '../support/record-batches.ts'
import type { SeededRandom } from '../support/seeded-random.ts'

export interface Sample {
  readonly name: string
  readonly bytes: Buffer
  /** Throws only what `isExpected` knows. True: the bytes were understood. */
  readonly run: (bytes: Buffer, random: SeededRandom) => boolean
}

export interface Target {
  readonly name: string
  /** Of all decodes, relative to the other targets'. */
  readonly share: number
  /** Valid bytes, from which mutations are made. */
  samples(random: SeededRandom): Sample[]
  readonly isExpected: (cause: unknown) => boolean
}

const isMalformed = (cause: unknown): boolean => cause instanceof MalformedMessage
const byKey = new Map(apis.map((api) => [api.key, api]))
const bytesMax = 1024 * 1024

const requests: Target = {
  name: 'requests',
  share: 58,
  isExpected: isMalformed,
  samples: (random) => apis.flatMap((api) => versionsOf(api).flatMap((version) => [0, 1].map((): Sample => {
    const head = Buffer.alloc(8)
    head.writeInt16BE(api.key)
    head.writeInt16BE(version, 2)
    const clientId = random.pick([Buffer.from([0xff, 0xff]), Buffer.from([0, 3, 0x61, 0x62, 0x63])])
    const tags = version < api.flexible ? Buffer.alloc(0) : random.pick([Buffer.of(0), Buffer.from([1, 7, 2, 0, 0])])
    const body = encode(api.request, version, givenOf(api.request.shape, randomMessage(api.request, version, random)) as never)
    const run = (bytes: Buffer): boolean => decodeRequest(bytes, (key) => byKey.get(key)).kind === 'request'
    return { name: `${api.name} v${version}`, bytes: Buffer.concat([head, clientId, tags, body]), run }
  }))),
}

const messages: Target = {
  name: 'messages',
  share: 22,
  isExpected: isMalformed,
  samples: (random) => declaredMessages.flatMap((message) => versionsOf(message).map((version): Sample => {
    const run = (bytes: Buffer): boolean => codec(message, version).read(new Reader(bytes)) !== undefined
    const bytes = encode(message, version, givenOf(message.shape, randomMessage(message, version, random)) as never)
    return { name: `${message.name} v${version}`, bytes, run }
  })),
}

const frames: Target = {
  name: 'frames',
  share: 2,
  isExpected: (cause) => cause instanceof FrameLengthError,
  samples: (random) => [0, 1, 5, 300, 5000].map((length): Sample => {
    const whole = Buffer.alloc(4)
    whole.writeInt32BE(length)
    return { name: `frames of ${length} bytes`, bytes: Buffer.concat([whole, random.bytes(length), whole, random.bytes(length)]), run: runFrames }
  }),
}

function runFrames(bytes: Buffer, random: SeededRandom): boolean {
  const roomBytes = 4 * 1024 * 1024
  // Room for 4 MiB takes the system longer to give than all the rest, so that is asked for now and then.
  const splitter = new FrameSplitter({ bytesMax: random.chance(0.02) ? 100 * 1024 * 1024 : 20_000, pool: new BufferPool(0) })
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random.below(bytes.length)
    found.push(...splitter.push(bytes.subarray(at, at + length)))
    at += length
    if (splitter.bytesHeld > bytes.length + roomBytes) throw new Error(`${splitter.bytesHeld} bytes are held of ${bytes.length}`)
  }
  // Cutting must not lose, invent or move a byte.
  let at = 0
  for (const frame of found) {
    if (bytes.readInt32BE(at) !== frame.length || !bytes.subarray(at + 4, at + 4 + frame.length).equals(frame)) throw new Error('another frame')
    at += 4 + frame.length
  }
  return found.length > 0
}

const config: LogConfig = {
  segmentBytes: 1 << 30, segmentMs: 1, retentionMs: -1, retentionBytes: -1, indexIntervalBytes: 4096, batchBytesMax: bytesMax,
  hasLogAppendTime: false, timestampBeforeMsMax: Infinity, timestampAfterMsMax: Infinity, isDeleted: true, isCompacted: false, isTiered: false,
  producerExpiryMs: 1,
  minCleanableRatio: 0.5, minCompactionLagMs: 0, maxCompactionLagMs: Infinity, deleteRetentionMs: 86_400_000,
}

const batches: Target = {
  name: 'batches',
  share: 8,
  isExpected: isMalformed,
  samples: () => [
    aBatch(), aBatch({ records: 20, hasKeys: true }), aBatch({ records: 2, producerId: 5, isTransactional: true }), aMarker({ producerId: 5, isCommit: true }),
    ...compressors.map((compressor) => repacked(recordBatch([
      { key: Buffer.from('key'), value: Buffer.alloc(50, 1), headers: [['name', Buffer.from('value')], ['none', null]] }, { value: null },
    ], { timestamp: aMoment }), compressor)),
  ].map((bytes, index): Sample => ({ name: `batch ${index}`, bytes, run: runBatch })),
}

function runBatch(bytes: Buffer, random: SeededRandom): boolean {
  // A checksum that does not hold hides everything behind it, so most are made to hold.
  if (bytes.length >= 61 && random.chance(0.8)) {
    if (random.chance(0.5)) bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  }
  const settings = { ...config, hasLogAppendTime: random.chance(0.3), isCompacted: random.chance(0.3) }
  const keyless = (batch: RecordBatch): readonly number[] => [...recordsOf(batch, { bytesMax })].flatMap(({ key }, index) => (key === null ? [index] : []))
  const result = refusalAsValue(() => validateAppend(bytes, { config: settings, now: aMoment, keyless }))
  if (!(result instanceof RecordBatch)) return false
  result.stamp(7, 3)
  const { baseOffset, endOffset, baseTimestamp, maxTimestamp, producerId, lastSequence } = result
  for (const number of [baseOffset, endOffset, baseTimestamp, maxTimestamp, producerId, lastSequence]) {
    if (!Number.isSafeInteger(number)) throw new Error(`an accepted batch has ${number}`)
  }
  // What was accepted may still not be opened: only its checksum was looked at.
  for (const { offset } of recordsOf(result, { bytesMax })) if (offset < 7) throw new Error(`a record at ${offset}`)
  return true
}

/** A refusal of a batch must be a value: thrown, it would take the whole request with it. */
function refusalAsValue<T>(run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw new Error('a batch was refused by throwing', { cause })
  }
}

const payloads: Target = {
  name: 'payloads',
  share: 2,
  isExpected: isMalformed,
  samples: (random) => compressors.flatMap(({ name, compression, pack }) => [Buffer.alloc(400, 7), random.bytes(100), Buffer.from('abcabcabd'.repeat(30))]
    .map((content): Sample => ({ name, bytes: pack(content), run: (bytes) => decompress(compression, bytes, bytesMax).length <= bytesMax }))),
}

const bounds = { baseOffset: 100, endOffset: 200, batchesBytes: 1000 }
const sections = {
  offsets: encodeOffsets([{ offset: 100, position: 0 }, { offset: 150, position: 500 }]),
  times: encodeTimes([{ timestamp: 10, offset: 100 }, { timestamp: 20, offset: 180 }]),
  aborted: encodeAborted([{ producerId: 1, firstOffset: 100, lastOffset: 110, lastStableOffset: 105 }]),
  checksums: encodeChecksums({ chunkBytes: 400, crcs: [1, 2, 3] }),
  epochs: encodeEpochs([{ epoch: 0, startOffset: 0 }, { epoch: 3, startOffset: 120 }]),
  producers: Buffer.from('[]'),
}

const objects: Target = {
  name: 'objects',
  share: 8,
  isExpected: (cause) => cause instanceof TierError && cause.code === 'damaged',
  samples: () => [
    { name: 'footer', bytes: trailer(), run: runFooter },
    { name: 'offsets', bytes: sections.offsets, run: (bytes) => decodeOffsets(bytes, bounds).length > 0 },
    { name: 'times', bytes: sections.times, run: (bytes) => decodeTimes(bytes, bounds).length > 0 },
    { name: 'aborted', bytes: sections.aborted, run: (bytes) => decodeAborted(bytes).length > 0 },
    { name: 'checksums', bytes: sections.checksums, run: (bytes) => decodeChecksums(bytes, bounds).chunkBytes > 0 },
    { name: 'epochs', bytes: sections.epochs, run: (bytes) => decodeEpochs(bytes).length > 0 },
  ],
}

function trailer(): Buffer {
  return encodeTrailer({
    topicId: 'q83vASNFZ4mrze8BI0VniQ', partition: 3, ...bounds, epoch: 3, generation: 0, batchCount: 2, recordCount: 100, batchesCrc32c: 5,
    maxTimestamp: 20, sealedAt: 30,
  }, sections).bytes
}

function runFooter(bytes: Buffer, random: SeededRandom): boolean {
  if (bytes.length >= 108 && random.chance(0.8)) {
    const tail = bytes.length - 20
    const length = bytes.readUInt32BE(tail + 4)
    if (length <= tail) bytes.writeUInt32BE(crc32c(bytes.subarray(tail - length, tail)), tail)
  }
  return decodeFooter(bytes.subarray(-footerBytesMax), 1000 + bytes.length).sections.length > 0
}

export const targets: readonly Target[] = [requests, messages, frames, batches, payloads, objects]
