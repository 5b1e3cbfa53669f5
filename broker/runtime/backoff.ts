import type { Random } from './random.ts'

export interface BackoffOptions {
  /** The most that the first wait can be, milliseconds. */
  readonly firstMs: number
  /** The most that any wait can be, milliseconds. */
  readonly maxMs: number
}

/**
 * How long to wait before try number `tries + 1`: anything up to a bound that doubles. The whole of it is drawn
 * ("full jitter"), so that brokers which failed together do not come back together.
 */
export function backoffMs(tries: number, { firstMs, maxMs, random }: BackoffOptions & { readonly random: Random }): number {
  return random.fraction() * Math.min(maxMs, firstMs * 2 ** (tries - 1))
}
