// The composition root: reads the configuration, makes the real clock, dice, disk and network, starts a broker, and
// stops it in order when the system says so. Nothing below this file reaches for any of them by itself.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ConfigError, describeSettings, readConfig } from './config.ts'
import { runLocalCluster } from './local-cluster.ts'
import { startBroker } from './start.ts'

function usage(): string {
  const lines = describeSettings().map(({ name, about }) => `  --${name.padEnd(24)}${about}`)
  return [
    'usage: npm start -- [--NAME VALUE ...]', '',
    ...lines,
    `  --${'config'.padEnd(24)}a JSON file with any of these`,
    '', 'Each can also be given as a LONGTAIL_ variable, such as LONGTAIL_LISTEN.',
  ].join('\n')
}

function readSources() {
  const options = Object.fromEntries(describeSettings().map(({ name, isFlag, isRepeated }) =>
    [name, { type: isFlag ? 'boolean' : 'string', multiple: isRepeated } as const]))
  const { values } = parseArgs({ options: { ...options, config: { type: 'string' }, help: { type: 'boolean' } } })
  const { config: path = process.env.LONGTAIL_CONFIG, help, ...flags } = values
  if (help) return undefined
  const file: unknown = path === undefined ? undefined : JSON.parse(readFileSync(String(path), 'utf8'))
  return { flags, environment: process.env, file }
}

function configure() {
  try {
    const sources = readSources()
    if (sources !== undefined) return readConfig(sources)
    console.log(usage())
    process.exit(0)
  } catch (cause) {
    if (!(cause instanceof ConfigError || cause instanceof SyntaxError || cause instanceof TypeError ||
      (cause as { code?: string }).code === 'ENOENT')) throw cause
    console.error(`longtail: ${(cause as Error).message}`)
    process.exit(2)
  }
}

const config = configure()
if (config.brokers > 1) {
  runLocalCluster(config, process.env)
} else {
  // Started by somebody who holds a channel to it: it stops when that process is gone.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  await startBroker(config)
}
