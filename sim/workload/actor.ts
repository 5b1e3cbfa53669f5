import type { Client } from './client.ts'

/** A client that does the same thing again and again until it is told to stop. */
export abstract class Actor {
  readonly client: Client
  /** What it got done: an acknowledged batch, a fetch, a commit. */
  done = 0
  /** Set when it can do no more: its topic is gone. */
  isRetired = false
  #isStopping = false
  #over: Promise<void> = Promise.resolve()

  constructor(client: Client) {
    this.client = client
  }

  get name(): string {
    return this.client.name
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  start(): void {
    this.#over = this.run()
  }

  /** Resolves once what it began is over. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#over
    this.client.hangUp()
  }

  protected abstract run(): Promise<void>
}
