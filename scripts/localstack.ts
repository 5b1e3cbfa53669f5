// LocalStack for a suite: one that runs already, where LONGTAIL_LOCALSTACK_URL names it, or one on a free port that is stopped
// afterwards. `localstack/up` says what is missing.

import { spawnSync } from 'node:child_process'
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

/** Rejects where it does not start. */
export async function withLocalstack<T>(run: (url: string) => Promise<T>): Promise<T> {
  const given = process.env['LONGTAIL_LOCALSTACK_URL']
  if (given) return run(given)
  const port = await freePort()
  const url = start(port)
  try {
    return await run(url)
  } finally {
    stop(port)
  }
}
