import type { Socket } from 'node:net'

/** What the network does to one direction of a connection. */
export interface Conditions {
  readonly isCut?: boolean
  readonly delayMs?: number
  readonly bytesPerSecond?: number
}

/** Bytes of one direction that wait here; then no more is read, and the sender notices. */
const waitingBytesMax = 1 << 20
/** The shortest nap of a flow that has used up what it may pass. */
const napMs = 10

/** Bytes on their way from one socket to the other. */
export class Flow {
  readonly #from: Socket
  readonly #to: Socket
  readonly #waiting: { bytes: Buffer; readonly dueAt: number }[] = []
  #waitingBytes = 0
  #conditions: Conditions = {}
  #hasEnded = false
  #isFull = false
  #isReset = false
  /** The sender is gone, and the receiver is not told. */
  #isForgotten = false
  #timer: NodeJS.Timeout | undefined
  /** Of a throttled flow: how much may pass now, as of when. */
  #allowance = { bytes: 0, at: 0 }
  /** Bytes that did not pass at once because of the conditions. */
  heldBytes = 0
  passedBytes = 0

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    from.on('data', (bytes) => this.#take(bytes))
    const ended = (): void => {
      this.#hasEnded = true
      this.#move()
    }
    from.on('error', () => (this.#isReset = true)).on('end', ended).on('close', ended)
    to.on('drain', () => {
      this.#isFull = false
      this.#move()
    })
    to.on('close', () => clearTimeout(this.#timer))
  }

  set(conditions: Conditions): void {
    this.#conditions = conditions
    this.#allowance = { bytes: 0, at: performance.now() }
    this.#move()
  }

  forget(): void {
    this.#isForgotten = true
  }

  #take(bytes: Buffer): void {
    const { isCut = false, delayMs = 0, bytesPerSecond } = this.#conditions
    if (isCut || delayMs > 0 || bytesPerSecond !== undefined) this.heldBytes += bytes.length
    this.#waiting.push({ bytes, dueAt: performance.now() + delayMs })
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= waitingBytesMax) this.#from.pause()
    this.#move()
  }

  #move(): void {
    clearTimeout(this.#timer)
    if (this.#conditions.isCut === true || this.#isForgotten || this.#to.destroyed) return
    while (!this.#isFull && this.#waiting.length > 0) {
      const [head] = this.#waiting
      const lateMs = head!.dueAt - performance.now()
      if (lateMs > 0) return this.#later(lateMs)
      const count = Math.min(head!.bytes.length, this.#allowedBytes())
      if (count === 0) return this.#later(napMs)
      this.#isFull = !this.#to.write(head!.bytes.subarray(0, count))
      if (count === head!.bytes.length) this.#waiting.shift()
      else head!.bytes = head!.bytes.subarray(count)
      this.#waitingBytes -= count
      this.passedBytes += count
    }
    if (this.#isFull) return
    if (this.#from.isPaused() && this.#waitingBytes < waitingBytesMax) this.#from.resume()
    if (this.#hasEnded && this.#waiting.length === 0) this.#endTo()
  }

  /** The receiver hears how it ended. */
  #endTo(): void {
    if (this.#isReset) this.#to.resetAndDestroy()
    else if (this.#from.destroyed) this.#to.destroySoon()
    else this.#to.end()
  }

  #later(delayMs: number): void {
    this.#timer = setTimeout(() => this.#move(), delayMs)
  }

  #allowedBytes(): number {
    const { bytesPerSecond } = this.#conditions
    if (bytesPerSecond === undefined) return Infinity
    const now = performance.now()
    const earned = (bytesPerSecond * (now - this.#allowance.at)) / 1000
    // No more than a tenth of a second's worth at once.
    const bytes = Math.min(this.#allowance.bytes + earned, bytesPerSecond / 10)
    const whole = Math.floor(bytes)
    this.#allowance = { bytes: bytes - whole, at: now }
    return whole
  }
}
