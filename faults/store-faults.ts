// The table and the object store, which have no links here: SQLite and a folder. The table takes no writes while another
// process holds its lock, so that no session is renewed and nobody is elected; in place of the folder lies a file.

import assert from 'node:assert/strict'
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { acknowledgedShare, noneMoved, processGone, topicMade, writesStopped } from './effects.ts'
import type { Fault, Scene } from './fault.ts'

/** Resolves with what lets it go again. */
async function lockTable({ cluster }: Scene): Promise<{ release(): void; isLocked(): boolean }> {
  const database = new DatabaseSync(cluster.tablePath, { timeout: 0 })
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      break
    } catch {
      await sleep(2)
    }
  }
  return {
    release() {
      database.exec('ROLLBACK')
      database.close()
    },
    isLocked() {
      const another = new DatabaseSync(cluster.tablePath, { timeout: 0 })
      try {
        another.exec('BEGIN IMMEDIATE; ROLLBACK')
        return false
      } catch {
        return true
      } finally {
        another.close()
      }
    },
  }
}

/** Long enough for a session to be over, if anybody were to judge so. */
const settleMs = 4_000
/** Of the requests of producers while nothing is wrong but the table. */
const shareMin = 0.999

const filesIn = (folder: string): number => readdirSync(folder, { recursive: true }).length

function tableLocked(name: string, seconds: number): Fault {
  return {
    name, row: 'F16', seconds, gapMsMax: 1_000,
    async begin(scene) {
      const lock = await lockTable(scene)
      return {
        async effect() {
          assert.ok(lock.isLocked(), 'the table takes writes')
          return `nobody could write to the table, ${acknowledgedShare(scene, shareMin)}`
        },
        async end() {
          lock.release()
          const made = await topicMade(scene)
          await sleep(settleMs)
          await noneMoved(scene)
          return made
        },
      }
    },
  }
}

export const storeFaults: readonly Fault[] = [
  tableLocked('table locked', 60),
  // Longer than a session, shorter than the brokers wait for a lock: whoever gets it first must not judge the others by it.
  tableLocked('table locked for a moment', 4),
  {
    name: 'table locked while the leader is killed', row: 'F10', seconds: 8, gapMsMax: undefined,
    async begin(scene) {
      const { cluster, leader } = scene
      const lock = await lockTable(scene)
      const pid = cluster.pid(leader)
      await cluster.kill(leader)
      return {
        async effect() {
          assert.ok(lock.isLocked(), 'the table takes writes')
          return `${processGone(pid)}, ${writesStopped(scene, 6_000)}`
        },
        async end() {
          lock.release()
          await cluster.start(leader)
        },
      }
    },
  },
  {
    name: 'object store gone', row: 'F12', seconds: 10, gapMsMax: 1_000,
    async begin(scene) {
      const { objectsPath } = scene.cluster
      const before = filesIn(objectsPath)
      const away = `${objectsPath}.away`
      renameSync(objectsPath, away)
      writeFileSync(objectsPath, 'not a folder')
      return {
        async effect() {
          assert.throws(() => readdirSync(objectsPath), { code: 'ENOTDIR' })
          return `${before} files out of reach`
        },
        async end() {
          rmSync(objectsPath)
          renameSync(away, objectsPath)
        },
      }
    },
  },
]
