// Tells partitions and groups how transactions have ended, for as long as it takes. What waits for one broker is sent together,
// whatever transactions it is from. A broker that does not answer, a leader that has moved, and a partition that cannot take it
// now are tried again after a while, wherever they are by then; there is no last try, for until everybody knows the transaction is
// not over. How many may wait is bounded by what may begin (`isFull`).

import { backoffMs } from '../../runtime/backoff.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import { type Audience, type Ending, type Lane, type Outcome, type Target, targetsOf } from './ending.ts'
import type { TellingLimits } from './transaction-settings.ts'

export interface TellingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly audience: Audience
  readonly limits: TellingLimits
  onFault(brokerId: number, cause: unknown): void
}

interface Task {
  readonly ending: Ending
  readonly left: Set<Target>
  readonly told: () => void
  readonly fenced: () => void
}

interface Queue {
  readonly brokerId: number
  readonly lane: Lane
  readonly targets: Target[]
  underWay: number
}

export class Telling {
  readonly #options: TellingOptions
  /** By transactional id. */
  readonly #tasks = new Map<string, Task>()
  /** What is sent or waits for its turn, by broker and lane. */
  readonly #queues = new Map<string, Queue>()
  readonly #timers = new Set<Timer>()
  #targets = 0
  #isClosed = false

  constructor(options: TellingOptions) {
    this.#options = options
  }

  /** Partitions and groups that are still to be told. */
  get size(): number {
    return this.#targets
  }

  get isFull(): boolean {
    return this.#targets >= this.#options.limits.targetsMax
  }

  /** Calls `told` once everybody knows, or `fenced` once somebody knows of a later coordinator of the id. */
  tell(ending: Ending, told: () => void, fenced: () => void): void {
    const { transactionalId } = ending.transaction
    this.hush(transactionalId)
    const targets = targetsOf(ending)
    if (targets.length === 0) return told()
    this.#tasks.set(transactionalId, { ending, left: new Set(targets), told, fenced })
    this.#targets += targets.length
    this.#place(targets)
  }

  /** Nobody else is told by this broker. */
  hush(transactionalId: string): void {
    const task = this.#tasks.get(transactionalId)
    if (task === undefined) return
    this.#tasks.delete(transactionalId)
    this.#targets -= task.left.size
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) timer.cancel()
    this.#tasks.clear()
    this.#queues.clear()
    this.#targets = 0
  }

  #isWanted({ ending }: Target): boolean {
    return this.#tasks.get(ending.transaction.transactionalId)?.ending === ending
  }

  #place(targets: readonly Target[]): void {
    const homeless: Target[] = []
    const queues = new Set<Queue>()
    for (const target of targets) {
      if (!this.#isWanted(target)) continue
      const brokerId = this.#options.audience.brokerOf(target)
      if (brokerId === 'gone') this.#settle(target, 'told')
      else if (brokerId === undefined) homeless.push(target)
      else {
        const queue = this.#queueOf(brokerId, target.kind === 'group' ? 'group' : target.tries === 0 ? 'first' : 'again')
        queue.targets.push(target)
        queues.add(queue)
      }
    }
    this.#later(homeless)
    for (const queue of queues) this.#pump(queue)
  }

  #queueOf(brokerId: number, lane: Lane): Queue {
    const key = `${brokerId}/${lane}`
    let queue = this.#queues.get(key)
    if (queue === undefined) this.#queues.set(key, (queue = { brokerId, lane, targets: [], underWay: 0 }))
    return queue
  }

  #pump(queue: Queue): void {
    const { limits } = this.#options
    while (queue.targets.length > 0 && queue.underWay < limits.requestsMax[queue.lane] && !this.#isClosed) {
      const targets = queue.targets.splice(0, queue.lane === 'group' ? 1 : limits.perRequestMax).filter((target) => this.#isWanted(target))
      if (targets.length > 0) void this.#send(queue, targets)
    }
    if (queue.targets.length === 0 && queue.underWay === 0) this.#queues.delete(`${queue.brokerId}/${queue.lane}`)
  }

  /** Never rejects. */
  async #send(queue: Queue, targets: readonly Target[]): Promise<void> {
    const { audience, onFault } = this.#options
    queue.underWay += 1
    let outcomes: readonly Outcome[] = []
    try {
      outcomes = await audience.tell(queue.brokerId, targets, queue.lane)
    } catch (cause) {
      onFault(queue.brokerId, cause)
    }
    queue.underWay -= 1
    if (this.#isClosed) return
    const again: Target[] = []
    targets.forEach((target, index) => {
      const outcome = outcomes[index] ?? 'again'
      if (outcome === 'again') again.push(target)
      else this.#settle(target, outcome)
    })
    this.#later(again)
    this.#pump(queue)
  }

  #settle(target: Target, outcome: Exclude<Outcome, 'again'>): void {
    const { transactionalId } = target.ending.transaction
    const task = this.#tasks.get(transactionalId)
    if (task === undefined || task.ending !== target.ending) return
    if (outcome === 'fenced') {
      this.hush(transactionalId)
      return task.fenced()
    }
    if (task.left.delete(target)) this.#targets -= 1
    if (task.left.size > 0) return
    this.#tasks.delete(transactionalId)
    task.told()
  }

  /** One timer for what failed together. */
  #later(targets: readonly Target[]): void {
    const wanted = targets.filter((target) => this.#isWanted(target))
    if (wanted.length === 0 || this.#isClosed) return
    const { clock, random, limits: { retryMs: firstMs, retryMsMax: maxMs } } = this.#options
    let tries = Infinity
    for (const target of wanted) tries = Math.min(tries, ++target.tries)
    const timer = clock.after(backoffMs(tries, { firstMs, maxMs, random }), () => {
      this.#timers.delete(timer)
      this.#place(wanted)
    })
    this.#timers.add(timer)
  }
}
