import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { findCoordinatorApi } from '../../broker/protocol/messages/find-coordinator.ts'
import { offsetFetchApi } from '../../broker/protocol/messages/offset-fetch.ts'
import { ErrorAnswer } from './topic-reader.ts'
import { WireClient } from './wire-client.ts'

export interface GroupPlace {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** The offset that a group committed, by none but its coordinator's word; -1: none. Waits for no transaction. */
export async function committedOffset(bootstrap: string, { group, topic, partition }: GroupPlace): Promise<number> {
  const coordinator = await WireClient.connect(await coordinatorOf(bootstrap, group))
  try {
    const { groups: [of] } = await coordinator.call(offsetFetchApi, {
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] }], topics: [], groupId: '',
    }, { version: 9 })
    const found = of?.topics[0]?.partitions[0]
    const error = of?.errorCode || found?.errorCode || ErrorCode.NONE
    if (error !== ErrorCode.NONE) throw new ErrorAnswer(`offset of ${group}`, error)
    return found?.committedOffset ?? -1
  } finally {
    coordinator.close()
  }
}

async function coordinatorOf(bootstrap: string, group: string): Promise<string> {
  const wire = await WireClient.connect(bootstrap.split(',')[0]!)
  try {
    const { coordinators: [found] } = await wire.call(findCoordinatorApi, { keyType: 0, coordinatorKeys: [group], key: '' }, { version: 4 })
    if (found === undefined || found.errorCode !== ErrorCode.NONE) throw new ErrorAnswer(`coordinator of ${group}`, found?.errorCode ?? -1)
    return `${found.host}:${found.port}`
  } finally {
    wire.close()
  }
}
