// Between the answer of a transaction's coordinator and the write of the offsets that it is about, the transaction may end:
// what is written then would wait for ever. So whoever asks holds a guard, and whatever may have been missed makes it void.

export interface TransactionGuard {
  readonly groupId: string
  readonly producerId: number
  readonly isVoid: boolean
}

interface Held extends TransactionGuard {
  isVoid: boolean
}

export class TransactionGuards {
  /** As many as there are requests that ask. */
  readonly #held = new Set<Held>()

  get size(): number {
    return this.#held.size
  }

  hold(groupId: string, producerId: number): TransactionGuard {
    const guard: Held = { groupId, producerId, isVoid: false }
    this.#held.add(guard)
    return guard
  }

  isHeld(groupId: string): boolean {
    for (const guard of this.#held) if (guard.groupId === groupId) return true
    return false
  }

  release(guard: TransactionGuard): void {
    this.#held.delete(guard as Held)
  }

  /** A transaction of the producer has ended, as far as the group is concerned. */
  ended(groupId: string, producerId: number): void {
    this.#void((guard) => guard.groupId === groupId && guard.producerId === producerId)
  }

  /** Other brokers may coordinate these groups by now, and may have been told of an end. */
  lost(isLost: (groupId: string) => boolean): void {
    this.#void(({ groupId }) => isLost(groupId))
  }

  #void(isMeant: (guard: TransactionGuard) => boolean): void {
    for (const guard of this.#held) if (isMeant(guard)) guard.isVoid = true
  }
}
