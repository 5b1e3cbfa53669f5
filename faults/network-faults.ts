// Links that carry nothing, or only one way, or slowly, or break.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorsIn, leadersMoved, outOfSync } from './effects.ts'
import type { Fault, Ongoing, Scene } from './fault.ts'
import type { TcpProxy } from './proxy.ts'

const silenceMsMax = 4_000
/** `replica.lag.time.max.ms`, a look every second, and one second. */
const laggingMsMax = 7_000

/** Says how much the links held back, and what else is to be seen. */
function holding(scene: Scene, links: readonly TcpProxy[], also: () => Promise<string>): Ongoing {
  const before = links.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
  return {
    async effect() {
      const held = links.reduce((sum, { heldBytes }) => sum + heldBytes, 0) - before
      assert.ok(held > 0, 'the links held nothing back')
      return `${(held / 1024).toFixed(0)} KiB held back, ${await also()}`
    },
    async end() {
      scene.cluster.heal()
    },
  }
}

/** What stops for clients alone goes on as soon as they get through; no broker is to blame. */
const clientErrors = (scene: Scene) => async (): Promise<string> => `clients did without${errorsIn(scene)}`

export const networkFaults: readonly Fault[] = [
  {
    name: 'leader cut off from the other brokers', row: 'F8', seconds: 9, gapMsMax: silenceMsMax, elsewhereMsMax: laggingMsMax,
    async begin(scene) {
      const links = scene.cluster.peersOf(scene.leader)
      const ongoing = holding(scene, links, () => leadersMoved(scene))
      for (const link of links) link.cut()
      return ongoing
    },
  },
  {
    name: 'leader hears the others, they do not hear it', row: 'F9', seconds: 9, gapMsMax: silenceMsMax, elsewhereMsMax: laggingMsMax,
    async begin(scene) {
      const { cluster, leader } = scene
      const ongoing = holding(scene, cluster.peersOf(leader), () => leadersMoved(scene))
      for (const other of cluster.others(leader)) {
        cluster.link(leader, other).cut('forth')
        cluster.link(other, leader).cut('back')
      }
      return ongoing
    },
  },
  {
    name: 'the others hear the leader, it does not hear them', row: 'F9', seconds: 9, gapMsMax: silenceMsMax, elsewhereMsMax: laggingMsMax,
    async begin(scene) {
      const { cluster, leader } = scene
      const ongoing = holding(scene, cluster.peersOf(leader), () => leadersMoved(scene))
      for (const other of cluster.others(leader)) {
        cluster.link(leader, other).cut('back')
        cluster.link(other, leader).cut('forth')
      }
      return ongoing
    },
  },
  {
    name: 'follower cut off from the leader', row: 'F8', seconds: 9, gapMsMax: laggingMsMax,
    async begin(scene) {
      const { cluster, leader, follower } = scene
      const links = [cluster.link(leader, follower), cluster.link(follower, leader)]
      const ongoing = holding(scene, links, () => outOfSync(scene, follower))
      for (const link of links) link.cut()
      return ongoing
    },
  },
  {
    name: 'a broker cut off from everybody but the table', row: 'F11', seconds: 9, gapMsMax: silenceMsMax, elsewhereMsMax: laggingMsMax,
    async begin(scene) {
      const { cluster, leader } = scene
      const links = [...cluster.peersOf(leader), cluster.fromClients(leader)]
      const ongoing = holding(scene, links, () => leadersMoved(scene))
      for (const link of links) link.cut()
      return ongoing
    },
  },
  {
    name: 'leader cut off from clients', row: 'F11', seconds: 5, gapMsMax: undefined,
    async begin(scene) {
      const link = scene.cluster.fromClients(scene.leader)
      const ongoing = holding(scene, [link], clientErrors(scene))
      link.cut()
      return ongoing
    },
  },
  {
    name: 'answers to clients get lost', row: 'F9', seconds: 5, gapMsMax: undefined,
    async begin(scene) {
      const link = scene.cluster.fromClients(scene.leader)
      const ongoing = holding(scene, [link], clientErrors(scene))
      link.cut('back')
      // What was carried out and not heard of is sent again on a new connection.
      await sleep(1_000)
      link.reset()
      return ongoing
    },
  },
  {
    name: 'connections of clients are half-open', row: 'F31', seconds: 2, gapMsMax: undefined,
    async begin(scene) {
      const link = scene.cluster.fromClients(scene.leader)
      const before = link.counts.ended
      link.forget()
      return {
        async effect() {
          assert.ok(link.counts.ended > before, 'no connection was there')
          return `${link.counts.ended - before} connections without an end${errorsIn(scene)}`
        },
        // The clients' own deadline would come later.
        end: async () => link.reset(),
      }
    },
  },
  {
    name: 'all connections break again and again', row: 'F13', seconds: 0, gapMsMax: 2_000,
    async begin(scene) {
      const ended = () => scene.cluster.allLinks.reduce((sum, { counts }) => sum + counts.ended, 0)
      const before = ended()
      for (let round = 0; round < 20; round++) {
        for (const link of scene.cluster.allLinks) link.reset()
        await sleep(400)
      }
      return {
        async effect() {
          assert.ok(ended() - before > 20, 'hardly a connection was broken')
          return `${ended() - before} connections broken${errorsIn(scene)}`
        },
        end: async () => {},
      }
    },
  },
  {
    name: 'links between brokers are slow', row: 'F13', seconds: 10, gapMsMax: 2_000,
    async begin(scene) {
      const links = [1, 2, 3].flatMap((id) => scene.cluster.others(id).map((other) => scene.cluster.link(id, other)))
      const ongoing = holding(scene, links, async () => '100 ms each way, 3 Mbit/s')
      for (const link of links) link.set('both', { delayMs: 100, bytesPerSecond: 375_000 })
      return ongoing
    },
  },
]
