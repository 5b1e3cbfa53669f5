import type { Router } from '../api/router.ts'
import { decodeResponse, encodeRequest } from '../protocol/header.ts'
import type { Clock } from '../runtime/clock.ts'
import { TimeoutError, withTimeout } from '../runtime/timeout.ts'
import type { AskBroker } from './ask-broker.ts'
import { BrokerUnreachable } from './broker-client.ts'

export interface AnyBrokerOptions {
  readonly clock: Clock
  readonly brokerId: number
  /** This broker's. */
  router(): Pick<Router, 'serve'>
  readonly others: AskBroker
}

/**
 * Asks a broker that may be this one. What this one is asked takes the way of all requests but for the wire: it is encoded and
 * decoded, so that nothing works on a single broker alone.
 */
export function anyBroker({ clock, brokerId: self, router, others }: AnyBrokerOptions): AskBroker {
  return async (brokerId, api, request, options) => {
    if (brokerId !== self) return others(brokerId, api, request, options)
    const { version, timeoutMs } = options
    const frame = Buffer.concat(encodeRequest(api, { version, correlationId: 0, clientId: `broker-${self}` }, request))
    try {
      const reply = await withTimeout({ clock, timeoutMs }, (signal) =>
        router().serve(frame.subarray(4), { clientHost: '/127.0.0.1', signal }))
      if (reply === undefined) throw new BrokerUnreachable(`${api.name} is not answered`)
      const answer = Buffer.concat(reply.pieces)
      reply.onSent?.(true)
      return decodeResponse(api, version, answer.subarray(4))
    } catch (cause) {
      if (cause instanceof TimeoutError) throw new BrokerUnreachable(`no answer to ${api.name} from this broker`, cause)
      throw cause
    }
  }
}
