// Compaction by a process that is no broker, as a function in the cloud does it: with the table and the object store alone.

import { openFolderStore } from '../../broker/objects/folder-store.ts'
import { recordsOf } from '../../broker/protocol/records.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeDisk } from '../../broker/runtime/node-disk.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { openTable } from '../../broker/table/open-table.ts'
import { type CompactionLimits, compactPartition } from '../../broker/tier/compaction/compact-partition.ts'
import type { CompactionIo } from '../../broker/tier/compaction/compaction-io.ts'
import { InProcessTierIo } from '../../broker/tier/in-process-tier-io.ts'
import { Manifest } from '../../broker/tier/manifest.ts'
import type { TierError } from '../../broker/tier/tier-error.ts'
import { tierIoLimits } from '../../broker/tier/tier-io.ts'
import { tierLimits } from '../../broker/tier/tier.ts'

export interface PartitionPlace {
  readonly tablePath: string
  readonly objectsPath: string
  readonly clusterId: string
  readonly topicId: string
  readonly partition: number
}

export interface OutsideOptions extends PartitionPlace {
  /** Writable; nothing is left in it. */
  readonly directory: string
  readonly deleteRetentionMs: number
  /** What differs from a broker's. */
  readonly limits?: Partial<CompactionLimits>
  /** Called each time that an object was stored which no row names yet. */
  readonly onStored?: () => void
}

export async function withManifest<T>(of: PartitionPlace, use: (manifest: Manifest) => Promise<T>): Promise<T> {
  const { tablePath, topicId, partition } = of
  const table = await openTable(`sqlite:${tablePath}`, { clock: nodeClock, random: nodeRandom })
  try {
    return await use(new Manifest({ table, id: { topicId, partition }, rowsMax: 8, attemptsMax: 10 }))
  } finally {
    await table.close()
  }
}

const triesMax = 1000

/**
 * Until nothing is left to do. Returns how each try ended, in `CompactionEnd`'s words or those of the error that it failed with;
 * `onEnd` hears of them as they end.
 */
export async function compactUntilIdle(options: OutsideOptions, onEnd = (_how: string) => {}): Promise<string[]> {
  const { objectsPath, clusterId, directory, deleteRetentionMs, onStored = () => {} } = options
  const store = await openFolderStore({ path: objectsPath, disk: nodeDisk, clock: nodeClock, random: nodeRandom })
  const io = await InProcessTierIo.open({
    store, disk: nodeDisk, clock: nodeClock, limits: { ...tierIoLimits, blockFileBytesMax: 0 }, cacheDirectory: directory, recordsOf,
    onFault: (doing, cause) => {
      throw new Error(doing, { cause })
    },
  })
  const watched: CompactionIo = {
    openCompaction: (start) => io.openCompaction(start), beginGroup: (group) => io.beginGroup(group), nextObject: (session) => io.nextObject(session),
    closeCompaction: (session) => io.closeCompaction(session),
    async storeObject(object) {
      const stored = await io.storeObject(object)
      onStored()
      return stored
    },
  }
  const config = { deleteRetentionMs, dirtyRatioMin: 0.01, lagMsMin: 0, lagMsMax: Infinity }
  const limits = { ...tierLimits, ...options.limits }
  const ends: string[] = []
  await withManifest(options, async (manifest) => {
    while (ends.at(-1) !== 'idle') {
      if (ends.length === triesMax) throw new Error(`not done after ${triesMax} tries, the last of which ended so: ${ends.at(-1)}`)
      const signal = new AbortController().signal
      const pass = { manifest, io: watched, clock: nodeClock, random: nodeRandom, clusterId, config, limits, signal }
      const how = await compactPartition(pass).then(({ kind }) => kind, (cause: TierError) => cause.message)
      ends.push(how)
      onEnd(how)
    }
  }).finally(() => io.close())
  return ends
}
