// All that is there in the end: every partition from its earliest offset, at its leader and at each replica in sync.

import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { metadataApi } from '../../broker/protocol/messages/metadata.ts'
import { logged } from '../check/batches.ts'
import type { FinalLog, Listing, LoggedBatch, Place, Sighting } from '../check/history.ts'
import type { Client } from './client.ts'
import { type Asked, fetchOnce } from './consumer.ts'
import { askForEnd } from './lister.ts'
import type { Topical } from './transactor.ts'

/** Who else has all of it. */
export async function followersOf(client: Client, { topicId, partition }: Place): Promise<{ readonly id: number; readonly address: string }[]> {
  for (;;) {
    const { answer } = await client.attempt(async () => (await client.anyone()).call(metadataApi, {
      topics: [{ topicId, name: null }], allowAutoTopicCreation: false, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false,
    }))
    const found = answer?.topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
    if (found !== undefined && found.errorCode === ErrorCode.NONE) {
      const addresses = new Map(answer!.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
      return found.isrNodes.filter((id) => id !== found.leaderId && addresses.has(id)).map((id) => ({ id, address: addresses.get(id)! }))
    }
    client.hangUp()
    await client.think(200)
  }
}

/** An end of a partition, however often it takes. */
export async function endOf(client: Client, place: Topical, which: Listing['which']): Promise<number> {
  for (;;) {
    const { answer } = await client.attempt(() => askForEnd(client, { ...place, which }))
    if (answer?.error === ErrorCode.NONE) return answer.offset
    client.hangUp()
    await client.think(200)
  }
}

/** The whole of a partition, as everybody sees it and as readers of committed records do. Starts over where retention overtakes it. */
export async function readLog(client: Client, place: Topical): Promise<FinalLog> {
  for (;;) {
    const latest = await endOf(client, place, 'latest')
    const earliest = await endOf(client, place, 'earliest')
    const end = await endOf(client, place, 'stable')
    const readAt = client.now
    const read = await readBetween(client, place, { earliest, latest })
    const committed = await readBetween(client, place, { earliest, latest: Math.min(end, latest), isCommittedOnly: true })
    const { topicId, partition } = place
    if (read === undefined || committed === undefined) continue
    return { topicId, partition, readAt, earliest, latest, ...read, committed: { records: committed.records, end } }
  }
}

/** Undefined: the beginning was deleted meanwhile. */
export async function readBetween(
  client: Client, place: Place, { earliest, latest, ...who }: Pick<FinalLog, 'earliest' | 'latest'> & Pick<Asked, 'isCommittedOnly' | 'follower'>,
): Promise<{ records: Sighting[]; batches: LoggedBatch[] } | undefined> {
  const [records, batches]: [Sighting[], LoggedBatch[]] = [[], []]
  for (let offset = earliest; offset < latest;) {
    const { answer } = await client.attempt(() => fetchOnce(client, place, { offset, bytesMax: 65_536, waitMs: 500, ...who }))
    if (answer?.error === ErrorCode.OFFSET_OUT_OF_RANGE && answer.logStartOffset > offset) return undefined
    // A replica that was moved away since has nothing to compare.
    if (who.follower !== undefined && answer?.error === ErrorCode.NOT_LEADER_OR_FOLLOWER) return undefined
    if (answer?.error !== ErrorCode.NONE) {
      if (answer === undefined) client.hangUp()
      else client.forget()
      await client.think(200)
      continue
    }
    records.push(...answer.records)
    batches.push(...answer.batches.filter(({ baseOffset }) => baseOffset >= offset).map(logged))
    if (answer.next === offset) await client.think(200)
    offset = answer.next
  }
  return { records, batches }
}
