// `npm run test:replay`: a history that does not fit on the broker's disk is read again, whole, from a time, over a
// crash, without its store, and without slowing producers down.
//
//   node scripts/test-replay.ts [--mib N] [--local-mib N] [--slowdown RATIO] [--window SECONDS]
//
// Of --mib (2,048) MiB that are written, --local-mib (64) stay on the broker's disk.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { mib: { type: 'string' }, 'local-mib': { type: 'string' }, slowdown: { type: 'string' }, window: { type: 'string' } },
})
const variables = {
  LONGTAIL_REPLAY_MIB: values.mib, LONGTAIL_REPLAY_LOCAL_MIB: values['local-mib'], LONGTAIL_REPLAY_SLOWDOWN: values.slowdown,
  LONGTAIL_REPLAY_WINDOW: values.window,
}
const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', 'test/replay/replay.test.ts'], {
  stdio: 'inherit', env: { ...process.env, ...given },
})
process.exit(status ?? 1)
