// One client's connection: bytes in, frames, requests, replies in the order of the requests, bytes out.
//
//   chunk -> splitter -> waiting frames -> serve (one at a time; Produce behind Produce at once) -> replies in order
//
// A chunk never runs more than the limits below allow: when too much waits, is being served or is not taken by the
// client, the stream is paused, which pushes back on this client alone.

import type { Clock, Timer } from '../runtime/clock.ts'
import type { Reply } from '../api/router.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { ByteStream } from '../runtime/network.ts'
import { FrameSplitter } from './frame-splitter.ts'

export interface ConnectionLimits {
  /** The longest request frame in bytes (`socket.request.max.bytes`). */
  readonly requestBytesMax: number
  /** Requests that are being served or wait, before the stream is paused. */
  readonly requestsInFlightMax: number
  /** Bytes of requests that are being served or wait, before the stream is paused. */
  readonly requestBytesInFlightMax: number
  /** Bytes of replies that the client has not taken, before no more requests are served. */
  readonly replyBytesQueuedMax: number
  /** Milliseconds in which a client must take something of what it asked for. */
  readonly writeStallMsMax: number
  /** Milliseconds of silence after which a connection is closed (`connections.max.idle.ms`). */
  readonly idleMsMax: number
}

export interface ConnectionOptions {
  readonly stream: ByteStream
  readonly clock: Clock
  readonly limits: ConnectionLimits
  /** Memory for frames; those of Produce go back to it. */
  readonly pool: BufferPool
  /** Serves a request. Undefined: no reply. Rejects where the connection must be closed. */
  serve(frame: Buffer, connection: Connection): Promise<Reply | undefined>
  /** Called once, with the reason. */
  onClosed(connection: Connection, cause: Error | undefined): void
}

/** Api key 0. Only these may overtake each other's wait: their order is fixed when they are handed on. */
const produceKey = 0

interface Slot {
  readonly frameBytes: number
  readonly isProduce: boolean
  /** Undefined while it is being served. */
  reply: Reply | undefined
  isDone: boolean
}

export class Connection {
  readonly clientHost: string
  /** Aborts when the connection is gone. */
  readonly signal: AbortSignal
  readonly #options: ConnectionOptions
  readonly #splitter: FrameSplitter
  readonly #gone = new AbortController()
  #waiting: Buffer[] = []
  /** Requests in order of arrival whose replies were not sent yet. */
  #slots: Slot[] = []
  #bytesInFlight = 0
  /** Replies that were written and not taken yet. */
  readonly #untaken = new Set<Reply>()
  #isPaused = false
  #isDraining = false
  /** What still arrives is no longer looked at. */
  #hasEnded = false
  #lastActivity: number
  #watchdog: Timer

  constructor(options: ConnectionOptions) {
    const { stream, clock, limits } = options
    this.#options = options
    this.clientHost = `/${stream.remoteHost}`
    this.signal = this.#gone.signal
    this.#splitter = new FrameSplitter({ bytesMax: limits.requestBytesMax, pool: options.pool })
    this.#lastActivity = clock.monotonic()
    this.#watchdog = this.#watch()
    stream.start({
      data: (bytes) => this.#receive(bytes),
      drained: () => this.#resumeService(),
      closed: (cause) => this.#close(cause),
    })
  }

  /** Closes at once; requests that are being served hear of it by the signal. */
  destroy(cause?: Error): void {
    this.#close(cause)
    this.#options.stream.destroy()
  }

  /** Stops reading, and closes once every request that has arrived is answered. */
  drain(): void {
    this.#options.stream.pause()
    this.#isPaused = true
    this.#isDraining = true
    this.#endIfDrained()
  }

  #receive(bytes: Buffer): void {
    if (this.#hasEnded) return
    this.#lastActivity = this.#options.clock.monotonic()
    let frames: Buffer[]
    try {
      frames = this.#splitter.push(bytes)
    } catch (cause) {
      this.destroy(cause as Error)
      return
    }
    for (const frame of frames) {
      this.#bytesInFlight += frame.length
      this.#waiting.push(frame)
    }
    this.#resumeService()
  }

  /** Serves what may be served, and pauses or resumes the stream by what is left. */
  #resumeService(): void {
    if (this.signal.aborted) return
    while (this.#waiting.length > 0 && this.#mayServe(this.#waiting[0]!)) this.#serve(this.#waiting.shift()!)
    const { limits, stream } = this.#options
    const isFull = this.#slots.length + this.#waiting.length >= limits.requestsInFlightMax ||
      this.#bytesInFlight >= limits.requestBytesInFlightMax || stream.bytesQueued >= limits.replyBytesQueuedMax
    if (isFull === this.#isPaused || this.#isDraining) return
    this.#isPaused = isFull
    if (isFull) stream.pause()
    else stream.resume()
  }

  #mayServe(frame: Buffer): boolean {
    if (this.#options.stream.bytesQueued >= this.#options.limits.replyBytesQueuedMax) return false
    const last = this.#slots.at(-1)
    return last === undefined || (last.isProduce && isProduce(frame))
  }

  #serve(frame: Buffer): void {
    const slot: Slot = { frameBytes: frame.length, isProduce: isProduce(frame), reply: undefined, isDone: false }
    this.#slots.push(slot)
    this.#options.serve(frame, this).then(
      (reply) => {
        if (this.signal.aborted) reply?.onSent?.(false)
        slot.reply = reply
        slot.isDone = true
        // A handler of Produce is done with its frame when it answers: what was appended is on disk, and kept as a copy.
        if (slot.isProduce) this.#options.pool.give(frame)
        this.#sendReplies()
      },
      (cause: unknown) => this.destroy(cause instanceof Error ? cause : new Error(String(cause))),
    )
  }

  #sendReplies(): void {
    if (this.signal.aborted) return
    while (this.#slots[0]?.isDone) {
      const { reply, frameBytes } = this.#slots.shift()!
      this.#bytesInFlight -= frameBytes
      if (reply !== undefined) this.#write(reply)
    }
    this.#lastActivity = this.#options.clock.monotonic()
    this.#resumeService()
    if (this.#isDraining) this.#endIfDrained()
  }

  #write(reply: Reply): void {
    const { stream } = this.#options
    if (reply.onSent === undefined) return stream.write(reply.pieces)
    this.#untaken.add(reply)
    stream.write(reply.pieces, () => {
      if (this.#untaken.delete(reply)) reply.onSent!(true)
    })
  }

  #endIfDrained(): void {
    if (this.#slots.length > 0 || this.#waiting.length > 0 || this.#hasEnded) return
    this.#hasEnded = true
    this.#options.stream.end()
    // Only who reads hears that the other side has closed as well.
    this.#options.stream.resume()
  }

  /** Closes what neither speaks nor listens. Looks a few times per limit rather than arming a timer per request. */
  #watch(): Timer {
    const { clock, limits, stream } = this.#options
    let queuedBefore = 0
    let takenAt = clock.monotonic()
    const look = () => {
      const now = clock.monotonic()
      const queued = stream.bytesQueued
      if (queued < queuedBefore) this.#lastActivity = now
      if (queued === 0 || queued < queuedBefore) takenAt = now
      queuedBefore = queued
      if (queued > 0 && now - takenAt > limits.writeStallMsMax) {
        return this.destroy(new Error(`the client took nothing for ${limits.writeStallMsMax} ms`))
      }
      const isIdle = this.#slots.length === 0 && queued === 0
      if (isIdle && now - this.#lastActivity > limits.idleMsMax) {
        return this.destroy(new Error(`silent for ${limits.idleMsMax} ms`))
      }
      this.#watchdog = clock.after(lookEveryMs, look)
    }
    const lookEveryMs = Math.max(Math.min(limits.idleMsMax, limits.writeStallMsMax) / 4, 10)
    return clock.after(lookEveryMs, look)
  }

  #close(cause: Error | undefined): void {
    if (this.signal.aborted) return
    this.#watchdog.cancel()
    for (const { reply } of this.#slots) reply?.onSent?.(false)
    for (const reply of this.#untaken) reply.onSent!(false)
    this.#untaken.clear()
    this.#waiting = []
    this.#slots = []
    this.#gone.abort()
    this.#options.onClosed(this, cause)
  }
}

function isProduce(frame: Buffer): boolean {
  return frame.length >= 2 && frame.readInt16BE(0) === produceKey
}
