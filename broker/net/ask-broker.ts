import type { Api, GivenOf, ReadOf, Shape } from '../protocol/schema.ts'

export interface AskOptions {
  readonly version: number
  /** Milliseconds until the outcome counts as unknown. */
  readonly timeoutMs: number
}

/**
 * Asks a broker, which may be this one, something whose answer holds no records. Rejects with `BrokerUnreachable`: whether it was
 * carried out is not known then.
 */
export type AskBroker = <Q extends Shape, P extends Shape>(
  brokerId: number, api: Api<Q, P>, request: GivenOf<Q>, options: AskOptions,
) => Promise<ReadOf<P>>
