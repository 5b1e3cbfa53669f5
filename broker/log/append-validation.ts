// Whether a batch may be appended, from its header and checksum alone: it is opened only where the topic needs keys.
// Each refusal is the one that Kafka gives.

import { ErrorCode } from '../protocol/error-code.ts'
import { MalformedMessage } from '../protocol/reader.ts'
import { batchHeaderBytes, batchLengthAt, RecordBatch } from '../protocol/record-batch.ts'
import type { LogConfig } from './log-config.ts'

export interface Refused {
  readonly errorCode: ErrorCode
  readonly message: string
  /** Records that are to blame, by their place in the batch; undefined: the batch as a whole is. */
  readonly recordIndexes?: readonly number[]
}

export interface ValidationContext {
  readonly config: LogConfig
  /** Wall clock, milliseconds. */
  readonly now: number
  /** Places in a batch of the records that have no key; asked only for compacted topics. */
  keyless(batch: RecordBatch): readonly number[]
}

/** The one batch that `records` holds, checked; or why it is refused. */
export function validateAppend(records: Buffer, context: ValidationContext): RecordBatch | Refused {
  const length = batchLengthAt(records, 0)
  if (length === undefined) return refuse(ErrorCode.INVALID_RECORD, 'a produce request must have exactly one record batch per partition')
  // At the same place in all formats; messages of the old ones may be shorter than our header.
  const magic = records[16] ?? 2
  if (magic !== 2) return refuse(ErrorCode.INVALID_RECORD, `record batches of magic ${magic} are not supported`)
  if (length < batchHeaderBytes || length > records.length) {
    return refuse(ErrorCode.CORRUPT_MESSAGE, `a batch of ${length} bytes in ${records.length}`)
  }
  const batch = new RecordBatch(records.subarray(0, length))
  if (length < records.length) return refuse(ErrorCode.INVALID_RECORD, 'a produce request must have exactly one record batch per partition')
  if (length > context.config.batchBytesMax) {
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, `a batch of ${length} bytes, and max.message.bytes is ${context.config.batchBytesMax}`)
  }
  if (!batch.isIntact()) return refuse(ErrorCode.CORRUPT_MESSAGE, 'the checksum does not match the batch')
  try {
    return refuseHeader(batch) ?? refuseTimes(batch, context) ?? refuseKeys(batch, context) ?? batch
  } catch (cause) {
    // A number beyond 2^53, or records that cannot be opened, under a checksum that is right.
    if (!(cause instanceof MalformedMessage)) throw cause
    return refuse(ErrorCode.INVALID_RECORD, cause.message)
  }
}

function refuse(errorCode: ErrorCode, message: string): Refused {
  return { errorCode, message }
}

function refuseHeader(batch: RecordBatch): Refused | undefined {
  if (batch.compression === undefined) return refuse(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 'an unknown compression')
  if (batch.isControl) return refuse(ErrorCode.INVALID_RECORD, 'clients cannot write control batches')
  const { recordCount, lastOffsetDelta } = batch
  if (recordCount <= 0 || lastOffsetDelta !== recordCount - 1) {
    return refuse(ErrorCode.INVALID_RECORD, `${recordCount} records with a last offset delta of ${lastOffsetDelta}`)
  }
  const { producerId, producerEpoch, baseSequence } = batch
  if (producerId < -1 || producerEpoch < -1 || baseSequence < -1) {
    return refuse(ErrorCode.INVALID_RECORD, 'a negative producer id, epoch or sequence')
  }
  if (producerId === Infinity) return refuse(ErrorCode.INVALID_RECORD, 'a producer id that nobody can be given')
  if (producerId >= 0 && (producerEpoch < 0 || baseSequence < 0)) {
    return refuse(ErrorCode.INVALID_RECORD, 'a producer id without an epoch or a sequence')
  }
  if (producerId < 0 && batch.isTransactional) return refuse(ErrorCode.INVALID_RECORD, 'a transactional batch without a producer id')
  if (batch.hasDeleteHorizon) return refuse(ErrorCode.INVALID_RECORD, 'clients cannot set a delete horizon')
  return undefined
}

function refuseTimes(batch: RecordBatch, { config, now }: ValidationContext): Refused | undefined {
  if (batch.hasLogAppendTime) return refuse(ErrorCode.INVALID_TIMESTAMP, 'only the broker says that a timestamp is that of the append')
  const { baseTimestamp, maxTimestamp } = batch
  // The widest int64s read as infinities, which nothing that is made of timestamps can hold.
  if (!Number.isFinite(baseTimestamp) || !Number.isFinite(maxTimestamp)) {
    return refuse(ErrorCode.INVALID_TIMESTAMP, `timestamps ${baseTimestamp} and ${maxTimestamp}`)
  }
  if (config.hasLogAppendTime) return undefined
  if (maxTimestamp > now + config.timestampAfterMsMax) {
    return refuse(ErrorCode.INVALID_TIMESTAMP, `timestamp ${maxTimestamp} is more than ${config.timestampAfterMsMax} ms ahead`)
  }
  if (baseTimestamp >= 0 && baseTimestamp < now - config.timestampBeforeMsMax) {
    return refuse(ErrorCode.INVALID_TIMESTAMP, `timestamp ${baseTimestamp} is more than ${config.timestampBeforeMsMax} ms behind`)
  }
  return undefined
}

function refuseKeys(batch: RecordBatch, { config, keyless }: ValidationContext): Refused | undefined {
  if (!config.isCompacted) return undefined
  const recordIndexes = keyless(batch)
  if (recordIndexes.length === 0) return undefined
  return { ...refuse(ErrorCode.INVALID_RECORD, 'a compacted topic accepts only records with a key'), recordIndexes }
}
