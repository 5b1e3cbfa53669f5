import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Compression } from '../record-batch.ts'
import { compressLz4 } from './compress-lz4.ts'
import { compressSnappy } from './compress-snappy.ts'

/** Closes a batch's payload as clients do, at the default level of each. Synchronous: for what compaction has rewritten. */
export function compress(compression: Compression, input: Buffer): Buffer {
  switch (compression) {
    case 'none': return input
    case 'gzip': return gzipSync(input)
    case 'zstd': return zstdCompressSync(input)
    case 'snappy': return compressSnappy(input)
    case 'lz4': return compressLz4(input)
  }
}
