// From a frame to the pieces of a reply: header, version, body, handler, response. What a handler throws is a defect; the
// client gets a refusal of the whole request in the form of its API, and the log a line.

import { ErrorCode } from '../protocol/error-code.ts'
import { decodeRequest, encodeResponse } from '../protocol/header.ts'
import { apiVersionsApi } from '../protocol/messages/api-versions.ts'
import type { Api } from '../protocol/schema.ts'
import type { Clock } from '../runtime/clock.ts'
import { TableError } from '../table/table.ts'
import { advertise } from './api-versions.ts'
import type { Call, Handler } from './handler.ts'
import { RequestRefused } from './request-refused.ts'

export interface Caller {
  readonly clientHost: string
  readonly signal: AbortSignal
}

export interface Reply {
  readonly pieces: readonly Uint8Array[]
  /** Called once: the system has taken the pieces, or they were dropped with the connection. */
  onSent?(isTaken: boolean): void
}

export interface RouterOptions {
  readonly clock: Clock
  readonly handlers: readonly Handler[]
  /** Called once for each request that was answered. */
  onServed(api: string, facts: { readonly seconds: number; readonly requestBytes: number; readonly responseBytes: number }): void
  /** The table was away: the client was told what it repeats. */
  onAway(api: string, cause: TableError): void
  onDefect(api: string, cause: unknown): void
}

export class Router {
  readonly #options: RouterOptions
  readonly #handlers: ReadonlyMap<number, Handler>

  constructor(options: RouterOptions) {
    this.#options = options
    this.#handlers = new Map(options.handlers.map((handler) => [handler.api.key, handler]))
  }

  /** What is served, for ApiVersions. */
  get apis(): readonly Api[] {
    return [...this.#handlers.values()].map(({ api }) => api)
  }

  /** Undefined: no reply. Rejects where the connection must be closed. */
  async serve(frame: Buffer, caller: Caller): Promise<Reply | undefined> {
    const { clock, onServed } = this.#options
    const arrivedAt = clock.monotonic()
    const decoded = decodeRequest(frame, (key) => this.#handlers.get(key)?.api)
    if (decoded.kind === 'unsupported') return { pieces: this.#refuseVersion(decoded) }
    const { header, api, body } = decoded
    const handler = this.#handlers.get(api.key)!
    let onSent: ((isTaken: boolean) => void) | undefined
    const call: Call = {
      version: header.version, clientId: header.clientId, clientHost: caller.clientHost, signal: caller.signal, arrivedAt,
      onSent: (done) => (onSent = done),
    }
    const response = await this.#handle(handler, body, call)
    const pieces = response === undefined ? undefined : encodeResponse(api, header, response)
    let responseBytes = 0
    for (const piece of pieces ?? []) responseBytes += piece.length
    onServed(api.name, { seconds: (clock.monotonic() - arrivedAt) / 1000, requestBytes: frame.length, responseBytes })
    return pieces === undefined ? undefined : { pieces, ...(onSent === undefined ? {} : { onSent }) }
  }

  async #handle(handler: Handler, body: Record<string, unknown>, call: Call) {
    try {
      return await handler.handle(body, call)
    } catch (cause) {
      if (cause instanceof RequestRefused) throw cause
      return handler.refuse(body, this.#codeFor(handler.api.name, cause))
    }
  }

  /** UNKNOWN_SERVER_ERROR makes some producers send a batch twice (KAFKA-14034), so what is temporary is said to be. */
  #codeFor(api: string, cause: unknown): ErrorCode {
    const { onAway, onDefect } = this.#options
    if (cause instanceof TableError && cause.code !== 'invalid') {
      onAway(api, cause)
      return ErrorCode.REQUEST_TIMED_OUT
    }
    onDefect(api, cause)
    return ErrorCode.UNKNOWN_SERVER_ERROR
  }

  #refuseVersion(decoded: { readonly key: number; readonly version: number; readonly correlationId: number }): readonly Uint8Array[] {
    if (decoded.key !== apiVersionsApi.key) {
      throw new RequestRefused(`API ${decoded.key} is not served at version ${decoded.version}`)
    }
    const response = advertise(this.apis, { errorCode: ErrorCode.UNSUPPORTED_VERSION, version: 0 })
    return encodeResponse(apiVersionsApi, { version: 0, correlationId: decoded.correlationId }, response)
  }
}
