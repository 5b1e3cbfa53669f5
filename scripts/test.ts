// `npm test`: everything that needs neither Java nor AWS nor root. Arguments name files to run instead.

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

/** Suites with commands and needs of their own. */
const elsewhere = [
  'test/interop/', 'test/localstack/', 'test/durability/', 'test/replay/', 'test/compaction-scale/', 'test/transactions/kill.test.ts',
]

const named = process.argv.slice(2)
const files = named.length > 0
  ? named
  : globSync('test/**/*.test.ts').filter((file) => !elsewhere.some((folder) => file.startsWith(folder))).sort()

const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], { stdio: 'inherit' })
process.exit(status ?? 1)
