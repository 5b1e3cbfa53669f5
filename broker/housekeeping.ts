import { ClockWatch } from './log/log-retention.ts'
import type { Partition } from './replication/partition.ts'
import { type Clock, sleep } from './runtime/clock.ts'
import type { Logger } from './runtime/logger.ts'

export interface HousekeepingOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly partitions: Iterable<Partition>
  readonly everyMs: number
}

/** The regular look at every partition: seals by age, retention, what was not used. One at a time, never twice at once. */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>

  constructor(options: HousekeepingOptions) {
    this.#options = options
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    const { clock, logger, partitions, everyMs } = this.#options
    const watch = new ClockWatch(clock)
    while (!this.#stopping.signal.aborted) {
      const isClockTrusted = watch.isTrusted()
      for (const partition of partitions) {
        if (this.#stopping.signal.aborted) return
        try {
          await partition.log.tick({ isClockTrusted })
        } catch (cause) {
          logger.warn({ topic: partition.topicName, partition: partition.partition, cause }, 'a partition could not be tidied')
        }
      }
      await sleep(clock, everyMs, this.#stopping.signal)
    }
  }
}
