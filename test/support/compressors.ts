// What clients compress batches with, each in the forms that are met in the wild, to hold the broker's decompressors against.

import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { compressSync as snappySync } from 'snappy'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { type Compression, compressionNames } from '../../broker/protocol/record-batch.ts'

export interface Compressor {
  readonly name: string
  readonly compression: Compression
  readonly pack: (bytes: Buffer) => Buffer
}

export const compressors: readonly Compressor[] = [
  { name: 'none', compression: 'none', pack: (bytes) => bytes },
  { name: 'gzip', compression: 'gzip', pack: (bytes) => gzipSync(bytes) },
  { name: 'gzip that does not compress', compression: 'gzip', pack: (bytes) => gzipSync(bytes, { level: 0 }) },
  { name: 'snappy', compression: 'snappy', pack: (bytes) => snappySync(bytes) },
  { name: 'snappy in the framing of Java', compression: 'snappy', pack: (bytes) => xerial(bytes) },
  { name: 'snappy in small blocks in the framing of Java', compression: 'snappy', pack: (bytes) => xerial(bytes, 100) },
  { name: 'lz4', compression: 'lz4', pack: (bytes) => compressFrameSync(bytes) },
  { name: 'lz4 with checksums of the blocks', compression: 'lz4', pack: (bytes) => compressFrameSync(bytes, { blockChecksums: true }) },
  {
    name: 'lz4 with every checksum', compression: 'lz4',
    pack: (bytes) => compressFrameSync(bytes, { blockChecksums: true, contentChecksum: true }),
  },
  { name: 'lz4 with the size of the content', compression: 'lz4', pack: (bytes) => lz4Stored(bytes, { contentSize: true }) },
  { name: 'lz4 in stored blocks', compression: 'lz4', pack: (bytes) => lz4Stored(bytes, { blockBytes: 50 }) },
  { name: 'zstd', compression: 'zstd', pack: (bytes) => zstdCompressSync(bytes) },
  {
    name: 'zstd with a checksum', compression: 'zstd',
    pack: (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  },
]

/** The framing of snappy-java: magic, version, oldest version that can read it, then blocks behind their lengths. */
export function xerial(bytes: Buffer, blockBytes = 32 * 1024): Buffer {
  const pieces: Buffer[] = [Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex')]
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = snappySync(bytes.subarray(start, start + blockBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    pieces.push(length, block)
  }
  return Buffer.concat(pieces)
}

/** An LZ4 frame of uncompressed blocks; the header's checksum is left at 0, which nobody of ours looks at. */
export function lz4Stored(bytes: Buffer, options: { readonly blockBytes?: number; readonly contentSize?: boolean }): Buffer {
  const { blockBytes = 64 * 1024, contentSize = false } = options
  const size = Buffer.alloc(contentSize ? 8 : 0)
  if (contentSize) size.writeBigUInt64LE(BigInt(bytes.length))
  const pieces: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, contentSize ? 0x68 : 0x60, 0x40]), size, Buffer.of(0)]
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = bytes.subarray(start, start + blockBytes)
    const word = Buffer.alloc(4)
    word.writeUInt32LE(0x8000_0000 + block.length)
    pieces.push(word, block)
  }
  return Buffer.concat([...pieces, Buffer.alloc(4)])
}

/** An uncompressed batch with its records compressed. */
export function repacked(batch: Buffer, { compression, pack }: Compressor): Buffer {
  const bytes = Buffer.concat([batch.subarray(0, 61), pack(batch.subarray(61))])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt16BE((bytes.readInt16BE(21) & ~7) | compressionNames.indexOf(compression), 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}
