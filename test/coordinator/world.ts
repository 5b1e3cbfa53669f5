import type { CoordinatorDirectory } from '../../broker/coordinator/directory.ts'
import { defaultGroupLimits, defaultGroupSettings, type GroupLimits, type GroupSettings } from '../../broker/coordinator/group-settings.ts'
import { Groups } from '../../broker/coordinator/groups.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import type { Random } from '../../broker/runtime/random.ts'
import type { Table } from '../../broker/table/table.ts'
import { MemoryTable } from '../support/memory-table.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { FakeTopics } from './fake-topics.ts'

/** Dice that always fall the same way: the first random id ends in 1, the second in 2. */
export class CountingRandom implements Random {
  #count = 0

  fraction(): number {
    return 0.5
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    bytes.writeUInt32BE(++this.#count, length - 4)
    return bytes
  }
}

export interface WorldOptions {
  readonly table?: Table
  readonly clock?: ManualClock
  readonly topics?: FakeTopics
  readonly random?: Random
  readonly brokerId?: number
  readonly settings?: Partial<GroupSettings>
  readonly limits?: Partial<GroupLimits>
}

/** One group coordinator that owns everything, with time, dice, topics and table in the test's hands. */
export function makeWorld(options: WorldOptions = {}) {
  const clock = options.clock ?? new ManualClock()
  const topics = options.topics ?? new FakeTopics({ orders: 4, payments: 2 })
  const table = options.table ?? new MemoryTable()
  const random = options.random ?? new CountingRandom()
  const brokerId = options.brokerId ?? 1
  const directory: CoordinatorDirectory = { brokerId, ownerOf: () => ({ nodeId: brokerId, host: 'localhost', port: 9092 }) }
  const settings = { ...defaultGroupSettings, ...options.settings }
  const groups = new Groups({
    table, clock, topics, directory,
    random,
    logger: silentLogger,
    settings: () => settings,
    limits: { ...defaultGroupLimits, ...options.limits },
  })
  return { clock, topics, table, random, groups, directory }
}

export type World = ReturnType<typeof makeWorld>
