// `npm run test:durability`: crashes of all kinds under load, and a checker that knows what was acknowledged.
//
//   node scripts/test-durability.ts [--rounds N] [--restarts N] [--seed N] [FILE ...]
//
// --rounds: of kill -9 (50), and a fifth of it of lost power; --restarts: with 64 torn logs each (3).

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, restarts: { type: 'string' }, seed: { type: 'string' } },
})
const variables = {
  LONGTAIL_DURABILITY_ROUNDS: values.rounds,
  LONGTAIL_TORN_RESTARTS: values.restarts,
  LONGTAIL_SEED: values.seed,
}
const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
const files = positionals.length > 0 ? positionals : globSync('test/durability/*.test.ts').sort()
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], {
  stdio: 'inherit',
  env: { ...process.env, ...given },
})
process.exit(status ?? 1)
