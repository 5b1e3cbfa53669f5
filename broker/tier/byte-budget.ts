/** Bytes that may be in use at the same time. Who asks for more than is left waits, in the order of asking. */
export class ByteBudget {
  readonly #bytesMax: number
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = []
  #used = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get used(): number {
    return this.#used
  }

  /** Resolves to what gives the bytes back, once. `bytes` above the maximum are taken for the maximum. */
  async take(bytes: number): Promise<() => void> {
    const taken = Math.min(bytes, this.#bytesMax)
    if (this.#waiting.length > 0 || this.#used + taken > this.#bytesMax) {
      await new Promise<void>((grant) => this.#waiting.push({ bytes: taken, grant }))
    } else {
      this.#used += taken
    }
    let isHeld = true
    return () => {
      if (isHeld) this.#giveBack(taken)
      isHeld = false
    }
  }

  #giveBack(bytes: number): void {
    this.#used -= bytes
    for (let next = this.#waiting[0]; next !== undefined && this.#used + next.bytes <= this.#bytesMax; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += next.bytes
      next.grant()
    }
  }
}
