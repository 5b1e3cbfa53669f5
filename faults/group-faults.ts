// Who commits offsets that are not theirs to commit any more: a member that a rebalance has left out, and whoever remembers a
// topic that has another one in its place.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import { alterPartitionReassignmentsApi } from '../broker/protocol/messages/alter-partition-reassignments.ts'
import { deleteTopicsApi } from '../broker/protocol/messages/delete-topics.ts'
import { joinGroupApi } from '../broker/protocol/messages/join-group.ts'
import { offsetCommitApi } from '../broker/protocol/messages/offset-commit.ts'
import { offsetFetchApi } from '../broker/protocol/messages/offset-fetch.ts'
import { syncGroupApi } from '../broker/protocol/messages/sync-group.ts'
import type { Place } from '../sim/check/history.ts'
import { valueBytes } from '../sim/check/values.ts'
import { recordBatch } from '../test/support/record-batches.ts'
import { WireClient } from '../test/support/wire-client.ts'
import type { Fault, Scene } from './fault.ts'
import { makeTopic } from './load.ts'
import { inSync } from './metadata.ts'
import { RealReach } from './reach.ts'
import { endFrom, fetchFrom } from './reads.ts'
import { write } from './writes.ts'

const deathMsMax = 2_000
const sessionTimeoutMs = 6_000
/** Whoever has not joined again by then is left out. */
const rebalanceTimeoutMs = 1_500
const soonMsMax = 20_000

interface Membership {
  readonly memberId: string
  readonly generationId: number
}

/** A group of clients that say what they mean. */
class Group {
  readonly #reach: RealReach
  readonly #groupId: string

  constructor(reach: RealReach, groupId: string) {
    this.#reach = reach
    this.#groupId = groupId
  }

  async join(memberId = ''): Promise<Membership> {
    const groupId = this.#groupId
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const joined = await this.#asked(joinGroupApi.name, (wire) => wire.call(joinGroupApi, {
      groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId, protocolType: 'consumer', protocols,
    }, { timeoutMs: 15_000 }))
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) return this.join(joined.memberId)
    assert.equal(joined.errorCode, ErrorCode.NONE, 'a member could not join')
    const member = { memberId: joined.memberId, generationId: joined.generationId }
    const { errorCode } = await this.#asked(syncGroupApi.name, (wire) => wire.call(syncGroupApi, {
      groupId, ...member, protocolType: 'consumer', protocolName: 'range',
      assignments: joined.members.map((one) => ({ memberId: one.memberId, assignment: Buffer.alloc(0) })),
    }))
    assert.equal(errorCode, ErrorCode.NONE, 'a member got no assignment')
    return member
  }

  async commit({ topicId, partition }: Place, offset: number, { memberId, generationId }: Partial<Membership> = {}): Promise<number> {
    const answer = await this.#asked(offsetCommitApi.name, (wire) => wire.call(offsetCommitApi, {
      groupId: this.#groupId, memberId: memberId ?? '', generationIdOrMemberEpoch: generationId ?? -1,
      topics: [{ name: '', topicId, partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }] }],
    }))
    return answer.topics[0]!.partitions[0]!.errorCode
  }

  /** -1: nothing. */
  async committed({ topicId, partition }: Place): Promise<number> {
    const { groups: [group] } = await this.#asked(offsetFetchApi.name, (wire) => wire.call(offsetFetchApi, {
      groupId: '', topics: [], groups: [{ groupId: this.#groupId, topics: [{ name: '', topicId, partitionIndexes: [partition] }] }], requireStable: true,
    }))
    assert.equal(group?.errorCode, ErrorCode.NONE, 'what is committed was not told')
    return group.topics[0]!.partitions[0]!.committedOffset
  }

  async #asked<T>(what: string, ask: (wire: Awaited<ReturnType<RealReach['groupCoordinator']>>) => Promise<T>): Promise<T> {
    for (const until = performance.now() + soonMsMax; performance.now() < until; await sleep(100)) {
      const answer = await this.#reach.tried(async () => ask(await this.#reach.groupCoordinator(this.#groupId)))
      if (answer !== undefined) return answer
      this.#reach.lookAgain()
    }
    assert.fail(`${what} was not answered within ${soonMsMax} ms`)
  }
}

/** The broker that was down gets the partition too. */
async function addReplica(address: string, { topic: name, partition: partitionIndex }: Place & { readonly topic: string }): Promise<void> {
  const wire = await WireClient.connect(address, 'admin')
  const { errorCode } = await wire.call(alterPartitionReassignmentsApi, {
    timeoutMs: 10_000, allowReplicationFactorChange: true, topics: [{ name, partitions: [{ partitionIndex, replicas: [1, 2, 3] }] }],
  }).finally(() => wire.close())
  assert.equal(errorCode, ErrorCode.NONE, 'the partition could not be given to a third broker')
}

const batchOf = (values: readonly string[]): Buffer => recordBatch(values.map((value) => ({ value: valueBytes(value, 20) })))

const errorName = (code: number): string => Object.entries(ErrorCode).find(([, known]) => known === code)?.[0] ?? String(code)

/** Everything that a broker has of a partition, whether it leads or follows. */
async function valuesAt({ cluster }: Scene, broker: number, place: Place & { readonly topic: string }): Promise<string[]> {
  const wire = await WireClient.connect(cluster.addressOf(broker), 'observer')
  try {
    const found = await fetchFrom(wire, place, { offset: 0, bytesMax: 1 << 20, waitMs: 2_000, isFromFollower: true })
    assert.equal(found.error, ErrorCode.NONE, `broker ${broker} does not serve ${place.topic}: error ${errorName(found.error)}`)
    return found.records.map(({ value }) => value)
  } finally {
    wire.close()
  }
}

export const groupFaults: readonly Fault[] = [
  {
    name: 'a consumer that was left out commits', row: 'F34', seconds: 0, gapMsMax: 1_000,
    async begin(scene) {
      const reach = new RealReach('zombie', scene.cluster.bootstrap)
      const group = new Group(reach, `${scene.load.topic}-zombie`)
      const place = scene.load.places[0]!
      const zombie = await group.join()
      assert.equal(await group.commit(place, 5, zombie), ErrorCode.NONE, 'a member could not commit')
      // It says nothing for longer than others wait for it.
      const heir = await group.join()
      assert.ok(heir.generationId > zombie.generationId, 'the group was not rebalanced')
      assert.equal(await group.commit(place, 20, heir), ErrorCode.NONE, 'a member could not commit after a rebalance')
      const refusals = [
        await group.commit(place, 7, zombie), await group.commit(place, 8, { ...heir, generationId: zombie.generationId }),
        await group.commit(place, 9, { ...zombie, generationId: heir.generationId }),
      ]
      return {
        async effect() {
          assert.ok(!refusals.includes(ErrorCode.NONE), 'a commit of a member that was left out was taken')
          assert.equal(await group.committed(place), 20, 'somebody else has moved the offset')
          return `late commits were told ${refusals.map(errorName).join(', ')}`
        },
        end: async () => reach.close(),
      }
    },
  },
  {
    name: 'a topic is deleted and made again while a broker is down', row: 'F36', seconds: 0, gapMsMax: deathMsMax,
    async begin(scene) {
      const { cluster, follower } = scene
      const name = `${scene.load.topic}-again`
      const wanted = { name, partitions: 1, configs: [{ name: 'retention.ms', value: '-1' }] }
      const reach = new RealReach('again', cluster.bootstrap)
      const group = new Group(reach, name)
      const old = { topic: name, topicId: await makeTopic(cluster.observed, wanted), partition: 0 }
      await inSync(cluster.observed, { topicId: old.topicId, replicas: 3, withinMs: soonMsMax })
      await write(reach, old, batchOf(Array.from({ length: 30 }, (_, index) => `old:${index}`)))
      assert.equal(await group.commit(old, 25), ErrorCode.NONE, 'an offset could not be committed')
      await cluster.kill(follower)
      const admin = await WireClient.connect(cluster.observed[0]!, 'admin')
      await admin.call(deleteTopicsApi, { topics: [{ name: null, topicId: old.topicId }], topicNames: [], timeoutMs: 10_000 })
      admin.close()
      // Not left to the brokers: one that was killed a moment ago is not known to be dead yet, and of two replicas one would be there.
      const brokerIds = [1, 2, 3].filter((id) => id !== follower)
      const made = { ...old, topicId: await makeTopic(cluster.observed, { ...wanted, brokerIds }) }
      await write(reach, made, batchOf(['new:0', 'new:1', 'new:2']))
      const stale = readdirSync(cluster.diskPath(follower), { recursive: true }).filter((path) => String(path).includes(old.topicId))
      return {
        async effect() {
          assert.ok(stale.length > 0, 'the broker that is down has nothing of the topic that was deleted')
          return `broker ${follower} was down with ${stale.length} files of the topic that was deleted`
        },
        async end() {
          await cluster.start(follower)
          await addReplica(cluster.observed[0]!, made)
          await inSync(cluster.observed, { topicId: made.topicId, replicas: 3, withinMs: soonMsMax })
          for (const broker of [1, 2, 3]) assert.deepEqual(await valuesAt(scene, broker, made), ['new:0', 'new:1', 'new:2'], `at broker ${broker}`)
          const wire = await WireClient.connect(cluster.addressOf(follower), 'observer')
          const ghost = await endFrom(wire, { ...made, which: 'earliest' }).finally(() => wire.close())
          assert.ok(ghost.error !== ErrorCode.NONE || ghost.offset === 0, `the new topic begins at ${ghost.offset}`)
          assert.equal(await group.committed(made), -1, 'an offset of the topic that was deleted counts for the one in its place')
          reach.close()
          return 'nothing of it was served, no offset was taken over'
        },
      }
    },
  },
]
