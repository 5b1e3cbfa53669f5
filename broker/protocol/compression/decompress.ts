import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { MalformedMessage } from '../reader.ts'
import type { Compression } from '../record-batch.ts'
import { decompressLz4 } from './lz4.ts'
import { decompressSnappy } from './snappy.ts'

/**
 * Opens a batch's payload. Synchronous: for the few batches that are opened at all. Throws `MalformedMessage` where the
 * bytes are damaged or hold more than `bytesMax`.
 */
export function decompress(compression: Compression, input: Buffer, bytesMax: number): Buffer {
  switch (compression) {
    case 'none': return input
    case 'gzip': return byZlib('gzip', () => gunzipSync(input, { maxOutputLength: bytesMax }))
    case 'zstd': return byZlib('zstd', () => zstdDecompressSync(input, { maxOutputLength: bytesMax }))
    case 'snappy': return decompressSnappy(input, bytesMax)
    case 'lz4': return decompressLz4(input, bytesMax)
  }
}

function byZlib(name: string, run: () => Buffer): Buffer {
  try {
    return run()
  } catch (cause) {
    throw new MalformedMessage(`${name}: ${(cause as Error).message}`)
  }
}
