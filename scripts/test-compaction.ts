// `npm run test:compaction`: a compacted topic that is almost wholly in the object store is compacted there, through a real
// broker; also where that is killed half-way through, and where another process compacts beside it.
//
//   node scripts/test-compaction.ts [--records N] [--keys N]
//
// --records (10,000,000; at least 500,000) updates over --keys (100,000) keys are written, and 95 in 100 of them leave the broker's disk.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { records: { type: 'string' }, keys: { type: 'string' } } })
if (values.records !== undefined && !(Number(values.records) >= 500_000)) {
  console.error(`--records ${values.records}: at least 500000, or the smallest segments that stay on the disk are more than 5 in 100 of it`)
  process.exit(2)
}
const variables = { LONGTAIL_COMPACTION_RECORDS: values.records, LONGTAIL_COMPACTION_KEYS: values.keys }
const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', 'test/compaction-scale/scale.test.ts'], {
  stdio: 'inherit', env: { ...process.env, ...given },
})
process.exit(status ?? 1)
