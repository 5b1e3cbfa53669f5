// npm run test:localstack: runs test/localstack against a LocalStack. Starts one on a free port and stops it afterwards,
// unless LONGTAIL_LOCALSTACK_URL names one that runs. Exits with the tests' code, or non-zero where LocalStack does not
// start; `localstack/up` says what is missing.
//
//   npm run test:localstack                        all of them
//   npm run test:localstack -- test/localstack/s3-store.test.ts --test-name-pattern=range

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLocalstack } from './localstack.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

async function runTests(url: string): Promise<number> {
  const given = process.argv.slice(2)
  const files = given.some((argument) => !argument.startsWith('-'))
    ? []
    : readdirSync(`${root}/test/localstack`)
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => `test/localstack/${name}`)
  const environment = { ...process.env, LONGTAIL_LOCALSTACK_URL: url }
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', ...given, ...files], {
    cwd: root,
    env: environment,
    stdio: 'inherit',
  })
  // Ctrl-C reaches the tests as well; this process stays to stop LocalStack.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => tests.kill())
  const [code] = await once(tests, 'exit')
  return (code as number | null) ?? 1
}

try {
  process.exitCode = await withLocalstack(runTests)
} catch (cause) {
  console.error(`test:localstack: ${(cause as Error).message}`)
  process.exitCode = 1
}
