/** Chunks of any size, regrouped into buffers of `partBytes`; the last one is what is left. Each buffer is new. */
export async function* objectParts(chunks: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafeSlow(partBytes)
  let filled = 0
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length;) {
      const count = Math.min(chunk.length - taken, partBytes - filled)
      part.set(chunk.subarray(taken, taken + count), filled)
      taken += count
      filled += count
      if (filled < partBytes) continue
      yield part
      part = Buffer.allocUnsafeSlow(partBytes)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
