import type { Api, GivenOf, ReadOf, Shape } from '../../broker/protocol/schema.ts'
import type { Place } from '../check/history.ts'

/** A connection to one broker. A call rejects where there was no answer. */
export interface Caller {
  call<Q extends Shape, P extends Shape>(
    api: Api<Q, P>, request: GivenOf<Q>, options?: { readonly version?: number; readonly timeoutMs?: number },
  ): Promise<ReadOf<P>>
}

/** How a client gets to whoever is in charge, in the simulation or over real connections. */
export interface Reach {
  /** Milliseconds of the clock that histories are written by. */
  readonly now: number
  /** Milliseconds since 1970. */
  readonly wallClock: number
  leaderOf(place: Place): Promise<Caller>
  transactionCoordinator(transactionalId: string): Promise<Caller>
  groupCoordinator(group: string): Promise<Caller>
  /** Undefined: there was no answer. */
  tried<T>(run: () => Promise<T>): Promise<T | undefined>
  /** Who is in charge is asked for again, on new connections. */
  lookAgain(): void
  think(delayMs: number): Promise<void>
}
