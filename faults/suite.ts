// Run by scripts/test-faults.ts: a test for each fault, on one cluster. After a fault that failed there is a new one.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { brokerIds, Cluster } from './cluster.ts'
import { type Episode, runEpisode } from './episode.ts'
import { type Failure, gapCellsOf, isLate, pageOf, reportOf } from './report.ts'
import { settings } from './settings.ts'

const { faults, localstackUrl, arePeersDirect, seconds, quietSeconds, gapFactor, rate, reportPath, acknowledgedMin } = settings
const episodes: Episode[] = []
const failures: Failure[] = []
let cluster: Cluster | undefined

for (const fault of faults) {
  test(`${fault.name} (${fault.row})`, async (context) => {
    cluster ??= await Cluster.start({ localstackUrl, arePeersDirect })
    try {
      const episode = await runEpisode(fault, { cluster, rate, quietSeconds, seconds, gapFactor })
      episodes.push(episode)
      const { effect, acknowledged, violations } = episode
      context.diagnostic(`${effect}; ${acknowledged} acknowledged; longest gap ${gapCellsOf(episode).join(' ms of ')}`)
      assert.deepEqual(violations.slice(0, 20), [])
      assert.ok(!isLate(episode), 'writes stopped for longer than they may')
    } catch (cause) {
      if (episodes.at(-1)?.fault !== fault) failures.push({ name: fault.name, row: fault.row, why: (cause as Error).message })
      for (const id of brokerIds) context.diagnostic(`broker ${id}: ${cluster.output(id).split('\n').slice(-6).join('\n')}`)
      await cluster.dispose()
      cluster = undefined
      throw cause
    }
  })
}

test(`at least ${acknowledgedMin} records were acknowledged`, () => {
  assert.ok(episodes.reduce((sum, { acknowledged }) => sum + acknowledged, 0) >= acknowledgedMin)
})

after(async () => {
  await cluster?.dispose()
  const report = reportOf(episodes, failures)
  console.log(report)
  if (reportPath !== undefined) writeFileSync(reportPath, pageOf(report))
})
