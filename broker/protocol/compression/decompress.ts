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
    case 'zstd': return byZlib('zstd', () => openZstd(input, bytesMax))
    case 'snappy': return decompressSnappy(input, bytesMax)
    case 'lz4': return decompressLz4(input, bytesMax)
  }
}

/** One frame, as every client writes. Node stops behind it in silence, so that is looked at. */
function openZstd(input: Buffer, bytesMax: number): Buffer {
  const opened = zstdDecompressSync(input, { maxOutputLength: bytesMax, info: true }) as unknown
  const { buffer, engine } = opened as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } }
  if (engine.bytesWritten !== input.length) throw new Error(`${input.length - engine.bytesWritten} bytes behind the frame`)
  return buffer
}

function byZlib(name: string, run: () => Buffer): Buffer {
  try {
    return run()
  } catch (cause) {
    throw new MalformedMessage(`${name}: ${(cause as Error).message}`)
  }
}
