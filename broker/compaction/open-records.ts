import { decompress } from '../protocol/compression/decompress.ts'
import { MalformedMessage } from '../protocol/reader.ts'
import type { RecordBatch } from '../protocol/record-batch.ts'
import { RecordCursor } from './record-cursor.ts'

/** Throws `MalformedMessage` where the batch is damaged, or holds more than `bytesMax` once it is decompressed. */
export function openRecords(batch: RecordBatch, bytesMax: number): RecordCursor {
  const { compression } = batch
  if (compression === undefined) throw new MalformedMessage('an unknown compression')
  // A batch that was emptied says none.
  return new RecordCursor(batch, decompress(compression, batch.payload, bytesMax))
}
