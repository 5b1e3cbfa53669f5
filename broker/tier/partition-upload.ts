// The uploads of one partition, one at a time and in the order of offsets:
//
//   plan -> intent (table) -> object (store) -> commit (table)
//
// A crash after any step leaves what the next attempt, the next leader or the sweep knows what to do with: an intent
// without object, an intent with object, or a row. A failed attempt is repeated with the same key: the content follows
// from the segment, and a store that has it already says so.

import type { Clock } from '../runtime/clock.ts'
import { newUuid, type Random } from '../runtime/random.ts'
import type { UploadIntent } from './manifest-items.ts'
import type { Manifest } from './manifest.ts'
import { objectKey } from './object-key.ts'
import { retireIntents } from './retirement.ts'
import type { OnTierEvent } from './tier-events.ts'
import { TierError } from './tier-error.ts'
import type { TierIo, UploadedObject } from './tier-io.ts'
import type { TierSource } from './tier-source.ts'
import { planUpload, uploadLag, type UploadLag } from './upload-plan.ts'

export interface PartitionUploadOptions {
  readonly source: TierSource
  readonly manifest: Manifest
  readonly io: TierIo
  readonly clock: Clock
  readonly random: Random
  readonly clusterId: string
  readonly onEvent: OnTierEvent
}

export class PartitionUpload {
  readonly name: string
  readonly #options: PartitionUploadOptions
  #intent: UploadIntent | undefined
  #blockedAt = -1

  constructor(options: PartitionUploadOptions) {
    this.#options = options
    this.name = `${options.source.topicName}-${options.source.partition}`
  }

  get lag(): UploadLag {
    return uploadLag(this.#options.manifest.head, this.#options.source.sealedSegments())
  }

  /** The upload that is under way, or to be repeated: no sweep of this broker's own takes it away. */
  get intent(): UploadIntent | undefined {
    return this.#intent
  }

  /** Bytes that went up; undefined where there was nothing to do. Throws `TierError`. */
  async uploadNext(signal: AbortSignal): Promise<number | undefined> {
    const { source, manifest, clock, onEvent } = this.#options
    if (!manifest.isCurrent) await manifest.refresh()
    const { head } = manifest
    if (head === undefined || !source.config().isUploadEnabled) return undefined
    if (head.epoch !== source.leaderEpoch) throw new TierError('fenced', `epoch ${source.leaderEpoch} met ${head.epoch}`)
    const plan = planUpload(head, source.sealedSegments(), source.lastStableOffset)
    if (plan.kind === 'blocked' && this.#blockedAt !== plan.missing.start) {
      this.#blockedAt = plan.missing.start
      onEvent({ kind: 'upload blocked', partition: this.name, ...plan.missing })
    }
    if (plan.kind !== 'upload') return undefined
    const startedAt = clock.monotonic()
    const { segment, start, end } = plan
    const intent = await this.#intend(start, end)
    const [sections, aborted] = await Promise.all([segment.sections(), source.abortedTransactions({ start, end })])
    const { key, epoch } = intent
    const object = await this.#options.io.upload({
      key, path: segment.path, fileBytes: segment.bytes, topicId: source.topicId, partition: source.partition, start, end, epoch,
      generation: 0, sealedAt: segment.sealedAt, epochs: sections.epochs, producers: sections.producers, aborted,
    }, signal)
    if (signal.aborted) throw new TierError('away', 'the upload was stopped')
    await this.#commit(intent, object, segment.sealedAt)
    onEvent({ kind: 'uploaded', partition: this.name, key, bytes: object.bytes, tookMs: clock.monotonic() - startedAt })
    return object.bytes
  }

  async #intend(start: number, end: number): Promise<UploadIntent> {
    const { source, manifest, clock, random, clusterId } = this.#options
    const known = this.#intent
    if (known?.baseOffset === start && known.endOffset === end) return known
    // Either it was committed although the answer was lost, or something else is wanted now: both are no longer ours.
    this.#intent = undefined
    if (known !== undefined) await retireIntents(manifest, [known], clock.now())
    const uuid = newUuid(random)
    const name = { clusterId, topicId: source.topicId, partition: source.partition, baseOffset: start, endOffset: end }
    const key = objectKey({ ...name, epoch: source.leaderEpoch, generation: 0, uuid })
    const intent = { uuid, key, baseOffset: start, endOffset: end, epoch: source.leaderEpoch, startedAt: clock.now() }
    await manifest.begin(intent)
    this.#intent = intent
    return intent
  }

  async #commit(intent: UploadIntent, object: UploadedObject, sealedAt: number): Promise<void> {
    const { key, baseOffset, endOffset, epoch } = intent
    const segment = { ...object, key, baseOffset, endOffset, epoch, generation: 0, sealedAt }
    const isCommitted = await this.#options.manifest.commit(segment)
    this.#intent = undefined
    if (!isCommitted) throw new TierError('away', `${key} could not be committed: its intent was swept, or the range is taken`)
  }
}
