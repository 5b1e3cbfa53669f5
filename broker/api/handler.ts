import type { Api, RequestOf, ResponseOf, Shape } from '../protocol/schema.ts'

/** Who asks, and how. */
export interface Call {
  readonly version: number
  /** As the client calls itself; null where it does not. */
  readonly clientId: string | null
  /** The peer's address, written as Kafka writes it: `/127.0.0.1`. */
  readonly clientHost: string
  /** When the request was whole, in monotonic milliseconds. */
  readonly arrivedAt: number
  /** Aborts when the connection is gone: whoever waits may stop. */
  readonly signal: AbortSignal
  /**
   * Calls `done` once, when the reply is out of our hands: taken by the system, or dropped with the connection. Buffers
   * that the reply refers to may be used again only if it was taken.
   */
  onSent(done: (isTaken: boolean) => void): void
}

/**
 * What serves one API. A request has been decoded and its version is one that we serve. A handler answers every
 * refusal with the protocol's own codes; what it throws is a defect, and is answered by the router through `refuse`.
 */
export interface Handler<Q extends Shape = Shape, P extends Shape = Shape> {
  readonly api: Api<Q, P>
  /** Undefined: nothing is sent, which only Produce with acks=0 asks for. */
  handle(request: RequestOf<Api<Q, P>>, call: Call): Promise<ResponseOf<Api<Q, P>> | undefined> | ResponseOf<Api<Q, P>> | undefined
  /** The response that refuses the whole request with one code, in the form that clients of this API look at. */
  refuse(request: RequestOf<Api<Q, P>>, code: number): ResponseOf<Api<Q, P>>
}

export type HandlerOf<A> = A extends Api<infer Q, infer P> ? Handler<Q, P> : never
