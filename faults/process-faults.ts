// Brokers that end, stand still, come back, or come back without their disk.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerIds } from './cluster.ts'
import { leadersMoved, leadsAll, outOfSync, processGone, writesStopped } from './effects.ts'
import { type Fault, partitionsNow, type Scene } from './fault.ts'

/** A broker whose process is gone has to be noticed, and its partitions led by others. */
const deathMsMax = 2_000
/** A broker that is silent keeps what it leads until its session is over (3 s), and then one second. */
const silenceMsMax = 4_000
const plannedMsMax = 300

async function kill(scene: Scene, ids: readonly number[]): Promise<() => string> {
  const pids = ids.map((id) => scene.cluster.pid(id))
  await Promise.all(ids.map((id) => scene.cluster.kill(id)))
  return () => pids.map(processGone).at(-1)!
}

async function restart({ cluster }: Scene, ids: readonly number[]): Promise<void> {
  await Promise.all(ids.map((id) => cluster.start(id)))
}

/** The controller's lease says who holds it; whoever it is, each broker's end moves it once they all were killed. */
async function inTurn(scene: Scene, signal: 'SIGKILL' | 'SIGTERM', restMs: number): Promise<void> {
  for (const id of brokerIds) {
    await scene.cluster.kill(id, signal)
    await scene.cluster.start(id)
    await inSyncAgain(scene)
    await sleep(restMs)
  }
}

/** Until all are in sync: nobody who restarts brokers one by one goes on before. */
async function inSyncAgain(scene: Scene, withinMs = 30_000): Promise<void> {
  for (const until = performance.now() + withinMs; performance.now() < until; await sleep(100)) {
    const states = await partitionsNow(scene)
    if (states.length === scene.load.places.length && states.every(({ isr, leader }) => isr.length === brokerIds.length && leader >= 0)) return
  }
  throw new Error(`not everybody was in sync again within ${withinMs} ms`)
}

export const processFaults: readonly Fault[] = [
  {
    name: 'leader killed', row: 'F1', seconds: 6, gapMsMax: deathMsMax,
    async begin(scene) {
      const gone = await kill(scene, [scene.leader])
      return { effect: async () => `${gone()}, ${await leadersMoved(scene, scene.leader)}`, end: () => restart(scene, [scene.leader]) }
    },
  },
  {
    name: 'follower killed', row: 'F4', seconds: 6, gapMsMax: deathMsMax,
    async begin(scene) {
      const gone = await kill(scene, [scene.follower])
      return { effect: async () => `${gone()}, ${await outOfSync(scene, scene.follower)}`, end: () => restart(scene, [scene.follower]) }
    },
  },
  {
    name: 'leader stands still', row: 'F2', seconds: 12, gapMsMax: silenceMsMax,
    async begin(scene) {
      const { cluster, leader } = scene
      cluster.pause(leader)
      return { effect: () => leadersMoved(scene, leader), end: async () => cluster.resume(leader) }
    },
  },
  {
    name: 'follower stands still', row: 'F5', seconds: 12, gapMsMax: silenceMsMax,
    async begin(scene) {
      const { cluster, follower } = scene
      cluster.pause(follower)
      return { effect: () => outOfSync(scene, follower), end: async () => cluster.resume(follower) }
    },
  },
  {
    name: 'two of three stand still', row: 'F5', seconds: 12, gapMsMax: undefined,
    async begin(scene) {
      const { cluster, leader, follower, other } = scene
      const silent = [leader, follower]
      silent.forEach((id) => cluster.pause(id))
      return {
        effect: async () => `${writesStopped(scene, 8_000)}, ${await leadsAll(scene, other)}`,
        end: async () => silent.forEach((id) => cluster.resume(id)),
      }
    },
  },
  {
    name: 'leader stopped as planned', row: 'F7', seconds: 4, gapMsMax: plannedMsMax,
    async begin(scene) {
      const pid = scene.cluster.pid(scene.leader)
      await scene.cluster.kill(scene.leader, 'SIGTERM')
      return {
        effect: async () => `${processGone(pid)}, ${await leadersMoved(scene, scene.leader)}`,
        end: () => restart(scene, [scene.leader]),
      }
    },
  },
  {
    name: 'rolling restart', row: 'F7', seconds: 0, gapMsMax: plannedMsMax,
    async begin(scene) {
      const pids = brokerIds.map((id) => scene.cluster.pid(id))
      await inTurn(scene, 'SIGTERM', 500)
      return {
        effect: async () => `${pids.map(processGone).length} processes replaced, ${await leadersMoved(scene)}`,
        end: async () => {},
      }
    },
  },
  {
    name: 'each killed in turn, the controller too', row: 'F1', seconds: 0, gapMsMax: deathMsMax,
    async begin(scene) {
      const pids = brokerIds.map((id) => scene.cluster.pid(id))
      await inTurn(scene, 'SIGKILL', 500)
      return {
        effect: async () => `${pids.map(processGone).length} processes replaced, ${await leadersMoved(scene)}`,
        end: async () => {},
      }
    },
  },
  {
    name: 'two of three killed', row: 'F6', seconds: 8, gapMsMax: undefined,
    async begin(scene) {
      const ids = [scene.leader, scene.follower]
      const gone = await kill(scene, ids)
      return { effect: async () => `${gone()}, ${writesStopped(scene, 5_000)}`, end: () => restart(scene, ids) }
    },
  },
  {
    name: 'all killed at once', row: 'F6', seconds: 3, gapMsMax: undefined,
    async begin(scene) {
      const gone = await kill(scene, brokerIds)
      return { effect: async () => `${gone()}, ${writesStopped(scene, 2_000)}`, end: () => restart(scene, brokerIds) }
    },
  },
  {
    name: 'a broker that ends again and again', row: 'F1', seconds: 1, gapMsMax: deathMsMax,
    async begin(scene) {
      const pids = new Set<number>()
      for (let round = 0; round < 5; round++) {
        pids.add(scene.cluster.pid(scene.leader))
        await scene.cluster.kill(scene.leader)
        scene.cluster.launch(scene.leader)
        // Anywhere from before it serves to after.
        await sleep(400 + round * 400)
      }
      await scene.cluster.kill(scene.leader)
      return { effect: async () => `${[...pids].map(processGone).length} processes gone, ${await leadersMoved(scene)}`, end: () => restart(scene, [scene.leader]) }
    },
  },
  {
    name: 'a broker returns without its disk', row: 'F25', seconds: 3, gapMsMax: deathMsMax,
    async begin(scene) {
      const { cluster, leader } = scene
      await cluster.kill(leader)
      cluster.wipe(leader)
      return {
        effect: async () => {
          assert.ok(!existsSync(cluster.diskPath(leader)), 'the disk is there')
          return `disk gone, ${await leadersMoved(scene, leader)}`
        },
        end: () => restart(scene, [leader]),
      }
    },
  },
]
