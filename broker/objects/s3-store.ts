import { Readable } from 'node:stream'
import type { BucketLocationConstraint, CompletedPart, S3Client } from '@aws-sdk/client-s3'
import { crc32c } from '../protocol/crc32c.ts'
import { checkByteRange, checkObjectKey, checkObjectKeys, listLimit, prefixBytesMax } from './object-key.ts'
import { objectParts } from './object-parts.ts'
import { type ListedObject, type ObjectBody, type ObjectStore, ObjectStoreError } from './object-store.ts'
import { readRange } from './range-body.ts'
import { S3Calls, type S3CallOptions, verdictOfWrite } from './s3-calls.ts'
import { judgeS3, type S3Verdict } from './s3-errors.ts'
import { verifiedChunks } from './verified-chunks.ts'

// The object store in S3, or what speaks its protocol.
//
// Every write has `If-None-Match: *` and the CRC32C of the whole object, which S3 compares with what it received.
// Up to `singlePutBytesMax` an object is one PutObject, streamed; above it parts are uploaded one after another and
// completed together, and the upload is aborted where that fails (what a crash leaves, a lifecycle rule removes).
//
//   412 PreconditionFailed          HEAD: same length and checksum is our own object, put by a try whose answer was lost
//   409 ConditionalRequestConflict  HEAD as well; nothing there: from the start again
//   404 NoSuchUpload                HEAD as well: completed by a try whose answer was lost
//   200 with an error inside        CompleteMultipartUpload does that; the SDK raises it as the error that it is
//   500, 503 SlowDown, no answer    again, after a wait with jitter
//
// The SDK's own retries are off: it cannot read a stream twice, and it would hide lost answers.

type Sdk = typeof import('@aws-sdk/client-s3')

export interface S3StoreOptions extends S3CallOptions {
  readonly bucket: string
  /** Before every key, at most 100 bytes; a `/` is put between. Default none. */
  readonly prefix?: string | undefined
  /** Else what the SDK finds: AWS_REGION or the profile. */
  readonly region?: string | undefined
  /** Else AWS_ENDPOINT_URL, else the region's own. */
  readonly endpoint?: string | undefined
  /** Makes the bucket where there is none, for development; in production it is deployed. Default false. */
  readonly createMissing?: boolean | undefined
  /** Default 128 MiB: a segment with its indexes is one request. */
  readonly singlePutBytesMax?: number
  /** Default 16 MiB; S3 wants at least 5 MiB. */
  readonly partBytes?: number
}

const partsMax = 10_000
/** Without one the SDK warns on the console of every body that it cannot send twice. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }
const connectTimeoutMs = 2_000
/** Of what is read to compare an object whose checksum S3 does not know. */
const compareBytes = 4 * 1024 * 1024

/** Rejects with `ObjectStoreError`: `refused` where no region is known, `away` where a missing bucket cannot be made. */
export async function openS3Store(options: S3StoreOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3')
  const { region, endpoint, requestsMax = 32, requestTimeoutMs = 10_000, prefix = '' } = options
  if (prefix !== '') checkObjectKey(prefix)
  if (prefix.length > prefixBytesMax) throw new ObjectStoreError('refused', `the prefix is longer than ${prefixBytesMax} bytes`)
  const agent = { keepAlive: true, maxSockets: requestsMax }
  const client = new sdk.S3Client({
    maxAttempts: 1,
    logger: silent,
    // A socket on which nothing moves is closed, whoever waits for it.
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: connectTimeoutMs,
      socketTimeout: 2 * requestTimeoutMs,
    },
    // Checksums are ours, of whole objects; the SDK adds one only where the API demands it.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(region === undefined ? {} : { region }),
    // An endpoint of one's own has no name per bucket.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
  })
  try {
    await client.config.region()
  } catch (cause) {
    client.destroy()
    throw new ObjectStoreError('refused', 'S3 needs a region: `?region=` in the address, or AWS_REGION', cause)
  }
  const store = new S3Store(sdk, client, options)
  try {
    if (options.createMissing) await store.create()
    return store
  } catch (cause) {
    await store.close()
    throw cause
  }
}

type ByteRange = { readonly start: number; readonly end: number }

class S3Store implements ObjectStore {
  readonly #sdk: Sdk
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #calls: S3Calls
  readonly #singlePutBytesMax: number
  readonly #partBytes: number

  constructor(sdk: Sdk, client: S3Client, options: S3StoreOptions) {
    this.#sdk = sdk
    this.#client = client
    this.#bucket = options.bucket
    this.#prefix = options.prefix ? `${options.prefix}/` : ''
    this.#calls = new S3Calls(options)
    this.#singlePutBytesMax = options.singlePutBytesMax ?? 128 * 1024 * 1024
    this.#partBytes = options.partBytes ?? 16 * 1024 * 1024
  }

  async put(key: string, object: ObjectBody, signal?: AbortSignal): Promise<{ readonly stored: boolean }> {
    checkObjectKey(key)
    const bytesMax = Math.max(this.#singlePutBytesMax, partsMax * this.#partBytes)
    if (object.length > bytesMax) {
      throw new ObjectStoreError('refused', `${key}: ${object.length} bytes, at most ${bytesMax} are allowed`)
    }
    const isWhole = object.length <= this.#singlePutBytesMax
    return await this.#calls.admit(signal, () =>
      this.#calls.tryUntilDone(signal, async () => {
        const verdict = await (isWhole ? this.#putWhole(key, object, signal) : this.#putInParts(key, object, signal))
        if (verdict === 'stored') return { stored: true }
        const isOurs = await this.#holds(key, object, signal)
        if (isOurs !== undefined) return { stored: isOurs }
        throw new Error(`${key}: another write to it is under way`)
      }),
    )
  }

  async getRange(key: string, range: ByteRange, signal?: AbortSignal): Promise<Buffer | undefined> {
    checkObjectKey(key)
    checkByteRange(range)
    return await this.#calls.admit(signal, async () => {
      if (range.start < range.end) return await this.#getRange(key, range, signal)
      return (await this.#head(key, signal)) && Buffer.alloc(0)
    })
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly length: number } | undefined> {
    checkObjectKey(key)
    const found = await this.#calls.admit(signal, () => this.#head(key, signal))
    return found && { length: found.ContentLength ?? 0 }
  }

  async list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ListedObject[]> {
    const { signal } = options
    const limit = listLimit(options.limit)
    const listed: ListedObject[] = []
    let after = options.after
    // S3 may return fewer than it was asked for while there are more.
    for (let isMore = limit > 0; isMore; after = listed.at(-1)?.key ?? after) {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        MaxKeys: limit - listed.length,
        ...(after === undefined ? {} : { StartAfter: this.#prefix + after }),
      })
      const page = await this.#calls.admit(signal, () =>
        this.#calls.send({ signal }, (abortSignal) => this.#client.send(command, { abortSignal })),
      )
      const found = page.Contents ?? []
      for (const { Key = '', Size = 0, LastModified } of found) {
        listed.push({ key: Key.slice(this.#prefix.length), length: Size, modifiedAt: LastModified?.getTime() ?? 0 })
      }
      isMore = page.IsTruncated === true && found.length > 0 && listed.length < limit
    }
    return listed
  }

  async delete(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    checkObjectKeys(keys)
    if (keys.length === 0) return
    const Objects = keys.map((key) => ({ Key: this.#prefix + key }))
    const command = new this.#sdk.DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } })
    const { Errors = [] } = await this.#calls.admit(signal, () =>
      this.#calls.send({ signal }, (abortSignal) => this.#client.send(command, { abortSignal })),
    )
    const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey')
    const [first] = failed
    if (first === undefined) return
    const code = failed.some(({ Code }) => Code === 'AccessDenied') ? 'refused' : 'away'
    throw new ObjectStoreError(
      code,
      `${failed.length} of ${keys.length} objects were not deleted, ${first.Key} for ${first.Code}`,
    )
  }

  async close(): Promise<void> {
    await this.#calls.close()
    this.#client.destroy()
  }

  /** Makes the bucket unless it is there. */
  async create(): Promise<void> {
    const region = await this.#client.config.region()
    const CreateBucketConfiguration = { LocationConstraint: region as BucketLocationConstraint }
    const command = new this.#sdk.CreateBucketCommand({
      Bucket: this.#bucket,
      ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration }),
    })
    await this.#calls.admit(undefined, () =>
      this.#calls.send({}, async (abortSignal) => {
        try {
          await this.#client.send(command, { abortSignal })
        } catch (cause) {
          if ((cause as Error).name !== 'BucketAlreadyOwnedByYou') throw cause
        }
      }),
    )
  }

  async #putWhole(key: string, object: ObjectBody, signal: AbortSignal | undefined): Promise<'stored' | S3Verdict> {
    return await verdictOfWrite(
      this.#calls.request({ signal, bytes: object.length }, async (abortSignal) => {
        const body = Readable.from(copies(verifiedChunks(key, object)), { objectMode: false })
        const failed = new AbortController()
        // Nobody else listens: the error would end the process, and the request would wait for the rest of its body.
        body.on('error', (cause) => failed.abort(cause))
        const command = new this.#sdk.PutObjectCommand({
          ...this.#target(key),
          Body: body,
          ContentLength: object.length,
          ChecksumCRC32C: base64(object.crc32c),
          IfNoneMatch: '*',
        })
        try {
          await this.#client.send(command, { abortSignal: AbortSignal.any([abortSignal, failed.signal]) })
        } catch (cause) {
          throw failed.signal.aborted ? failed.signal.reason : cause
        } finally {
          body.destroy()
        }
      }),
    )
  }

  async #putInParts(key: string, object: ObjectBody, signal: AbortSignal | undefined): Promise<'stored' | S3Verdict> {
    const create = new this.#sdk.CreateMultipartUploadCommand({
      ...this.#target(key),
      ChecksumAlgorithm: 'CRC32C',
      ChecksumType: 'FULL_OBJECT',
    })
    const { UploadId } = await this.#calls.send({ signal }, (abortSignal) => this.#client.send(create, { abortSignal }))
    let outcome: 'stored' | S3Verdict = 'away'
    try {
      const Parts = await this.#putParts({ key, UploadId, object, signal })
      const complete = new this.#sdk.CompleteMultipartUploadCommand({
        ...this.#target(key),
        UploadId,
        MultipartUpload: { Parts },
        ChecksumType: 'FULL_OBJECT',
        ChecksumCRC32C: base64(object.crc32c),
        IfNoneMatch: '*',
      })
      outcome = await verdictOfWrite(this.#calls.send({ signal }, (abortSignal) => this.#client.send(complete, { abortSignal })))
      return outcome
    } finally {
      if (outcome !== 'stored') await this.#abort(key, UploadId)
    }
  }

  async #putParts(upload: { key: string; UploadId: string | undefined; object: ObjectBody; signal: AbortSignal | undefined }) {
    const { key, UploadId, object, signal } = upload
    const parts: CompletedPart[] = []
    // One part is in memory while it is sent, and the next is filled only then.
    await this.#calls.withBuffer({ bytes: this.#partBytes, signal }, async () => {
      for await (const part of objectParts(verifiedChunks(key, object), this.#partBytes)) {
        const PartNumber = parts.length + 1
        const ChecksumCRC32C = base64(crc32c(part))
        const command = new this.#sdk.UploadPartCommand({
          ...this.#target(key),
          UploadId,
          PartNumber,
          Body: part,
          ChecksumCRC32C,
        })
        const { ETag } = await this.#calls.send({ signal, bytes: part.length }, (abortSignal) =>
          this.#client.send(command, { abortSignal }),
        )
        parts.push({ PartNumber, ETag, ChecksumCRC32C })
      }
    })
    return parts
  }

  /** One try, whoever aborted the call: what stays costs money until the lifecycle rule finds it. */
  async #abort(key: string, UploadId: string | undefined): Promise<void> {
    const command = new this.#sdk.AbortMultipartUploadCommand({ ...this.#target(key), UploadId })
    await this.#calls.request({}, (abortSignal) => this.#client.send(command, { abortSignal })).catch(() => {})
  }

  /** Whether the object under `key` is this one; undefined where there is none. */
  async #holds(key: string, object: ObjectBody, signal: AbortSignal | undefined): Promise<boolean | undefined> {
    const found = await this.#head(key, signal)
    if (found === undefined) return undefined
    if ((found.ContentLength ?? 0) !== object.length) return false
    const isOfWhole = found.ChecksumType !== 'COMPOSITE' && !found.ChecksumCRC32C?.includes('-')
    if (found.ChecksumCRC32C !== undefined && isOfWhole) return found.ChecksumCRC32C === base64(object.crc32c)
    // Somebody put it without a checksum that says something about the whole.
    let checksum = 0
    for (let start = 0; start < object.length; start += compareBytes) {
      const piece = await this.#getRange(key, { start, end: Math.min(object.length, start + compareBytes) }, signal)
      if (piece === undefined) return undefined
      checksum = crc32c(piece, checksum)
    }
    return checksum === object.crc32c
  }

  async #head(key: string, signal: AbortSignal | undefined) {
    const command = new this.#sdk.HeadObjectCommand({ ...this.#target(key), ChecksumMode: 'ENABLED' })
    try {
      return await this.#calls.send({ signal }, (abortSignal) => this.#client.send(command, { abortSignal }))
    } catch (cause) {
      if (judgeS3(cause) !== 'missing') throw cause
    }
    // A HEAD does not say what is missing, the object or the bucket. A GET does, and throws for a bucket.
    await this.#getRange(key, { start: 0, end: 1 }, signal)
    return undefined
  }

  async #getRange(key: string, { start, end }: ByteRange, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    const command = new this.#sdk.GetObjectCommand({ ...this.#target(key), Range: `bytes=${start}-${end - 1}` })
    const bytes = end - start
    try {
      return await this.#calls.withBuffer({ bytes, signal }, () =>
        this.#calls.send({ signal, bytes }, async (abortSignal) => {
          const { Body, ContentRange = '' } = await this.#client.send(command, { abortSignal })
          return await readRange(Body as Readable, { start, end, contentRange: ContentRange, abortSignal })
        }),
      )
    } catch (cause) {
      const verdict = judgeS3(cause)
      if (verdict === 'missing') return undefined
      if (verdict === 'past the end') return Buffer.alloc(0)
      throw cause
    }
  }

  #target(key: string) {
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }
}

/** As S3 writes checksums: four bytes, the highest first. */
function base64(checksum: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(checksum)
  return bytes.toString('base64')
}

/** A stream reads ahead of the socket that it fills. */
async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}
