// Several brokers on one machine, for trying a cluster: a process each, with a disk of its own and a shared table and object
// store. A broker that ends by itself is started again; when this process is told to stop, all of them stop in order.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address, Config } from './config.ts'

const entry = fileURLToPath(new URL('../bin/longtail.js', import.meta.url))
/** Milliseconds after which a broker that ended is started again. */
const restartAfterMs = 1_000
/** Of `default.replication.factor`, with as many brokers or more. */
const replicas = 3

/** What the nth broker is started with: what was given, but for what each must have for itself. */
export function flagsOfBroker(config: Config, n: number): string[] {
  const { data, brokers } = config
  const counted = ({ host, port }: Address) => `${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 0 : port + n}`
  const { http, advertise, rack } = config
  const sets = new Map<string, string>(brokers < replicas ? [] : [
    ['default.replication.factor', String(replicas)], ['min.insync.replicas', String(replicas - 1)],
  ])
  for (const [name, value] of config.set) sets.set(name, value)
  return [
    '--id', String(config.id + n),
    '--listen', counted(config.listen),
    ...(advertise === undefined ? [] : ['--advertise', counted(advertise)]),
    '--http', http === 'off' ? 'off' : counted(http),
    '--data', join(data, `broker-${config.id + n}`),
    '--table', config.table ?? `sqlite:${join(data, 'table.db')}`,
    '--objects', config.objects ?? `file:${join(data, 'objects')}`,
    '--durability', config.durability, '--log-level', config['log-level'],
    ...(rack === undefined ? [] : ['--rack', rack]),
    ...(config['allow-unauthenticated'] ? ['--allow-unauthenticated'] : []),
    ...[...config.peer].flatMap(([id, { host, port }]) => ['--peer', `${id}=${host}:${port}`]),
    ...[...sets].flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ]
}

/** Runs until it is told to stop; the process then ends. */
export function runLocalCluster(config: Config, environment: NodeJS.ProcessEnv): void {
  // What the variables said is in the flags by now.
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('LONGTAIL_')))
  const running = new Set<ChildProcess>()
  let isStopping = false
  const start = (n: number) => {
    // In a group of its own: an interrupt from the terminal comes to this process, and is passed on once. The channel tells it
    // when this process is gone.
    const child = spawn(process.execPath, [entry, ...flagsOfBroker(config, n)], {
      env, detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    running.add(child)
    child.once('exit', (code, signal) => {
      running.delete(child)
      if (isStopping) return void (running.size === 0 && process.exit(0))
      console.error(`longtail: broker ${config.id + n} ended (${signal ?? code}), and is started again`)
      setTimeout(() => isStopping || start(n), restartAfterMs)
    })
  }
  const stop = (signal: NodeJS.Signals) => {
    const isAgain = isStopping
    isStopping = true
    for (const child of running) child.kill(isAgain ? 'SIGKILL' : signal)
    if (running.size === 0) process.exit(0)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  for (let n = 0; n < config.brokers; n++) start(n)
}
