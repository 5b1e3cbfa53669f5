import type { Readable } from 'node:stream'
import { ObjectStoreError } from './object-store.ts'

export interface RangeAnswer {
  /** What was asked for: bytes [start, end). */
  readonly start: number
  readonly end: number
  /** The answer's header, `bytes first-last/total`, both inclusive. */
  readonly contentRange: string
  readonly abortSignal: AbortSignal
}

/**
 * Reads the answer to a ranged GET, and holds it against what was asked for: a proxy that ignores ranges, or a
 * connection that ends early, must not pass for content. Leaves no stream open.
 */
export async function readRange(body: Readable, { start, end, contentRange, abortSignal }: RangeAnswer): Promise<Buffer> {
  const [, first, last, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange) ?? []).map(Number)
  const length = Math.min(end, total ?? 0) - start
  if (first !== start || last !== start + length - 1) {
    body.destroy()
    throw new ObjectStoreError('refused', `asked for bytes ${start}-${end - 1}, got ${contentRange || 'no range'}`)
  }
  const abort = () => body.destroy(new Error('the call ended before the answer'))
  abortSignal.addEventListener('abort', abort, { once: true })
  try {
    return await collect(body, length)
  } finally {
    abortSignal.removeEventListener('abort', abort)
    body.destroy()
  }
}

async function collect(body: Readable, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (filled + chunk.length > length) throw new Error(`more than ${length} bytes in an answer`)
    bytes.set(chunk, filled)
    filled += chunk.length
  }
  if (filled < length) throw new Error(`an answer of ${length} bytes ended after ${filled}`)
  return bytes
}
