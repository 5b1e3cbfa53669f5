// Who this broker and its cluster are. The cluster's id is an item in the table; the disk's id is a file in the data
// directory, so that a broker which returns without its disk is known to have lost what it replicated.

import { join } from 'node:path'
import type { Disk } from '../runtime/disk.ts'
import { newUuid, type Random, type Uuid } from '../runtime/random.ts'
import { type Table, TableError } from '../table/table.ts'

const clusterKey = { partition: 'cluster', sort: 'id' }

/** The cluster's id; made by whoever comes first. */
export async function clusterIdentity(table: Table, random: Random): Promise<string> {
  for (let attempt = 0; attempt < 2; attempt++) {
    const item = await table.get(clusterKey)
    if (item !== undefined) return (item.value as { clusterId: string }).clusterId
    const clusterId = newUuid(random)
    const { committed } = await table.commit([{ kind: 'put', key: clusterKey, value: { clusterId }, expect: 'absent' }])
    if (committed) return clusterId
  }
  throw new TableError('away', 'the cluster id was neither there nor could it be made')
}

/**
 * Whether the system has not stopped since this broker last registered: then everything that was written is there, synced or
 * not. `bootId`: of the present run; false where nobody says.
 */
export async function isSameBoot(disk: Disk, directory: string, bootId: string | undefined): Promise<boolean> {
  const known = await disk.readFile(join(directory, 'boot.json'))
  return bootId !== undefined && known?.toString() === bootText(bootId)
}

/** To be called once the broker has registered: until then a loss is not yet known to anybody, however often it starts. */
export async function rememberBoot(disk: Disk, directory: string, bootId: string | undefined): Promise<void> {
  if (bootId === undefined || (await isSameBoot(disk, directory, bootId))) return
  await disk.replaceFile(join(directory, 'boot.json'), Buffer.from(bootText(bootId)))
}

function bootText(bootId: string): string {
  return `${JSON.stringify({ bootId })}\n`
}

/**
 * The id of a data directory, made with it. Throws where the directory belongs to another broker or cluster: mixing
 * them would serve one cluster's records as another's.
 */
export async function diskIdentity(
  disk: Disk, random: Random, owner: { readonly directory: string; readonly brokerId: number; readonly clusterId: string },
): Promise<Uuid> {
  const { directory, brokerId, clusterId } = owner
  const path = join(directory, 'disk.json')
  await disk.makeDirectory(directory)
  const known = await disk.readFile(path)
  if (known === undefined) {
    const diskId = newUuid(random)
    await disk.replaceFile(path, Buffer.from(`${JSON.stringify({ diskId, brokerId, clusterId })}\n`))
    return diskId
  }
  const found = JSON.parse(known.toString()) as { diskId: Uuid; brokerId: number; clusterId: string }
  if (found.brokerId !== brokerId || found.clusterId !== clusterId) {
    throw new Error(
      `${directory} belongs to broker ${found.brokerId} of cluster ${found.clusterId}, ` +
      `not to broker ${brokerId} of cluster ${clusterId}: give another --data, or the table that goes with it`,
    )
  }
  return found.diskId
}
