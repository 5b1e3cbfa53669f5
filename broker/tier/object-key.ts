// Where an object of the tier lies in the store:
//
//   v1/<cluster>/<hash4>/<topicId>/<partition>/<base>-<end>-e<epoch>-g<generation>-<uuid>
//
// A key is made anew for each upload and never used again, so a deposed leader cannot touch what another one wrote.
// Topics go by id: a topic that was deleted and made again under its name shares nothing with the old one. The four
// hexadecimal digits spread partitions over the store's own partitions (S3 scales by prefix). Offsets are padded to the
// width of an int64, so that a listing comes in the order of offsets; `end` is exclusive.

import { crc32c } from '../protocol/crc32c.ts'
import type { Uuid } from '../runtime/random.ts'

export interface ObjectName {
  readonly clusterId: string
  readonly topicId: Uuid
  readonly partition: number
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** Of the leader that uploaded it. */
  readonly epoch: number
  /** 0 for a segment as it was sealed; each compaction that rewrites a range counts one up. */
  readonly generation: number
  readonly uuid: Uuid
}

const uuidPattern = '[A-Za-z0-9_-]{22}'
const keyPattern = new RegExp(
  `^v1/([A-Za-z0-9_-]{1,100})/([0-9a-f]{4})/(${uuidPattern})/(\\d{1,10})/` +
  `(\\d{20})-(\\d{20})-e(\\d{1,10})-g(\\d{1,10})-(${uuidPattern})$`,
)
const clusterPattern = /^[A-Za-z0-9_-]{1,100}$/

/** What every key of a partition begins with, and nothing else's. Throws where the cluster's id cannot be part of a key. */
export function partitionPrefix(clusterId: string, id: { readonly topicId: Uuid; readonly partition: number }): string {
  const { topicId, partition } = id
  if (!clusterPattern.test(clusterId)) throw new RangeError(`not a cluster id for object keys: ${JSON.stringify(clusterId)}`)
  const hash = crc32c(Buffer.from(`${topicId}/${partition}`)) >>> 16
  return `v1/${clusterId}/${hash.toString(16).padStart(4, '0')}/${topicId}/${partition}/`
}

export function objectKey(name: ObjectName): string {
  const range = `${padded(name.baseOffset)}-${padded(name.endOffset)}`
  return `${partitionPrefix(name.clusterId, name)}${range}-e${name.epoch}-g${name.generation}-${name.uuid}`
}

/** Undefined where the key is not one that `objectKey` makes: such an object is not ours to judge. */
export function parseObjectKey(key: string): ObjectName | undefined {
  const match = keyPattern.exec(key)
  if (match === null) return undefined
  const [, clusterId, , topicId, partition, base, end, epoch, generation, uuid] = match as unknown as string[]
  const name: ObjectName = {
    clusterId: clusterId!, topicId: topicId!, partition: Number(partition), baseOffset: Number(base), endOffset: Number(end),
    epoch: Number(epoch), generation: Number(generation), uuid: uuid!,
  }
  const isPlausible = Number.isSafeInteger(name.endOffset) && name.baseOffset < name.endOffset
  return isPlausible && objectKey(name) === key ? name : undefined
}

function padded(offset: number): string {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`not an offset: ${offset}`)
  return String(offset).padStart(20, '0')
}
