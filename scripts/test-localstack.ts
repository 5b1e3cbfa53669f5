// npm run test:localstack: runs test/localstack against a LocalStack. Starts one on a free port and stops it afterwards,
// unless LONGTAIL_LOCALSTACK_URL names one that runs. Exits with the tests' code, or non-zero where LocalStack does not
// start; `localstack/up` says what is missing.
//
//   npm run test:localstack                        all of them
//   npm run test:localstack -- test/localstack/s3-store.test.ts --test-name-pattern=range

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** LocalStack's usual ports, so that a leftover is found where people look for one. */
const ports = Array.from({ length: 34 }, (_, index) => 4566 + index)

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isListening = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (!(await isListening)) return false
  const { port: taken } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return taken === port
}

async function freePort(): Promise<number> {
  for (const port of ports) if (await isFree(port)) return port
  throw new Error(`no free port from ${ports[0]} to ${ports.at(-1)}`)
}

function start(port: number): string {
  const { status, error } = spawnSync(`${root}/localstack/up`, [`${port}`], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (error) throw new Error(`localstack/up does not run: ${error.message}`)
  if (status !== 0) throw new Error(`localstack/up ${port} ended with code ${status}; localstack/README.md says what it needs`)
  return `http://127.0.0.1:${port}`
}

function stop(port: number): void {
  spawnSync(`${root}/localstack/down`, [`${port}`], { stdio: ['ignore', 'ignore', 'inherit'] })
}

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

async function main(): Promise<number> {
  const given = process.env['LONGTAIL_LOCALSTACK_URL']
  if (given) return await runTests(given)
  const port = await freePort()
  const url = start(port)
  try {
    return await runTests(url)
  } finally {
    stop(port)
  }
}

try {
  process.exitCode = await main()
} catch (cause) {
  console.error(`test:localstack: ${(cause as Error).message}`)
  process.exitCode = 1
}
