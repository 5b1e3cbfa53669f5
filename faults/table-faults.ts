// A table behind a link: all brokers lose it at once, for reads as for writes.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { acknowledgedShare, noneMoved, topicMade } from './effects.ts'
import type { Fault } from './fault.ts'

/** For how long the link is watched before the fault, and after it. */
const watchedMs = 10_000
/** What brokers ask of a table that is back, in so many times what they ask of one that was never away. */
const stormFactorMax = 5
const shareMin = 0.999

export const tableFaults: readonly Fault[] = [
  {
    name: 'table out of reach', row: 'F16', seconds: 60, gapMsMax: 1_000,
    async begin(scene) {
      const { table } = scene.cluster
      assert.ok(table !== undefined, 'the table is a file')
      const sentDuring = async (waitMs: number): Promise<number> => {
        const before = table.sentBytes
        await sleep(waitMs)
        return table.sentBytes - before
      }
      const usual = await sentDuring(watchedMs)
      const heldBefore = table.heldBytes
      table.cut()
      return {
        async effect() {
          const held = table.heldBytes - heldBefore
          assert.ok(held > 0, 'nobody asked the table for anything')
          return `${(held / 1024).toFixed(0)} KiB held back, ${acknowledgedShare(scene, shareMin)}`
        },
        async end() {
          const watching = sentDuring(watchedMs)
          // No connection outlives so long a cut: what it held back goes with it, as when TCP has given up.
          table.reset()
          scene.cluster.heal()
          const made = await topicMade(scene)
          const after = await watching
          await noneMoved(scene)
          const said = `${(after / 1024).toFixed(0)} KiB sent to the table in the ${watchedMs / 1000} s behind it, ${(usual / 1024).toFixed(0)} before`
          assert.ok(after <= usual * stormFactorMax, said)
          return `${made}, ${said}`
        },
      }
    },
  },
]
