// Puts a broker on the real machine, and takes it off again when the system says so.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Logger as PinoLogger, pino } from 'pino'
import { Broker } from './broker.ts'
import { controllerPartition } from './cluster/controller.ts'
import { sessionsPartition } from './cluster/membership.ts'
import { CompactionWorkerClient } from './compaction/compaction-worker-client.ts'
import type { Config } from './config.ts'
import { addGauges } from './gauges.ts'
import { Metrics } from './metrics.ts'
import { nodeClock } from './runtime/node-clock.ts'
import { nodeDisk } from './runtime/node-disk.ts'
import { type HttpListener, listenHttp } from './runtime/node-http.ts'
import { nodeNetwork } from './runtime/node-network.ts'
import { nodeRandom } from './runtime/node-random.ts'
import { limits } from './limits.ts'
import { parseObjectStoreAddress } from './objects/open-object-store.ts'
import { countedTable } from './table/counted-table.ts'
import { openTable } from './table/open-table.ts'
import { type TierIo, tierIoLimits } from './tier/tier-io.ts'
import { TierWorkerClient } from './tier/tier-worker-client.ts'

/** Resolves once the broker serves clients; the process then lives until it is told to end. */
export async function startBroker(given: Config): Promise<void> {
  const config: Config = { ...given, data: resolve(given.data) }
  const logger = pino(
    { name: 'longtail', level: config['log-level'], base: { broker: config.id }, serializers: { cause: pino.stdSerializers.err } }
  )
  try {
    await run(config, logger)
  } catch (cause) {
    logger.fatal({ cause }, 'the broker could not start')
    process.exit(1)
  }
}

async function run(config: Config, logger: PinoLogger): Promise<void> {
  await nodeDisk.makeDirectory(config.data)
  const metrics = new Metrics()
  metrics.collectProcess()
  // Each starts a thread of its own, so they start side by side.
  const [table, tierIo] = await Promise.all([
    openTable(config.table ?? `sqlite:${join(config.data, 'table.db')}`, {
      clock: nodeClock, random: nodeRandom, urgentPartitions: [sessionsPartition, controllerPartition],
      failed: (cause) => die(logger, cause, 'the table failed'),
    }),
    openTierIo(config, logger),
  ])
  const broker = await Broker.start(config, {
    clock: nodeClock, random: nodeRandom, disk: nodeDisk, network: nodeNetwork, logger, metrics, tierIo, bootId: bootId(),
    table: countedTable(table, (call) => metrics.tableCalled(call)), openCompaction: () => new CompactionWorkerClient(),
    onReplaced: () => die(logger, undefined, `another process has started as broker ${config.id}, or it was unregistered`),
  })
  const http = await serveHttp(config, broker, metrics)
  const { host } = config.listen
  logger.info(
    { listen: `${host}:${broker.port}`, http: http?.port ?? 'off', clusterId: broker.clusterId, ...broker.partitionCounts }, 'ready'
  )
  stopOnSignal(logger, async () => {
    await http?.close()
    await broker.stop()
  })
}

/** The object store, behind a thread of its own: whoever reads history must not slow down whoever writes. */
function openTierIo(config: Config, logger: PinoLogger): Promise<TierIo> {
  const store = parseObjectStoreAddress(config.objects ?? `file:${join(config.data, 'objects')}`)
  return TierWorkerClient.open({
    store,
    cacheDirectory: join(config.data, 'cache'),
    // What is in a folder is on a disk already: a cache of it would only hold it twice.
    limits: store.kind === 'folder' ? { ...tierIoLimits, blockFileBytesMax: 0 } : tierIoLimits,
    callsMax: limits.tier.callsMax,
    onFault: (fault) => logger.warn({ fault }, 'the tier\'s thread had a fault that costs speed only'),
    onDeath: (cause) => die(logger, cause, 'the tier\'s thread ended'),
  })
}

/** Linux says which run of the system this is; where nobody says, nothing is assumed of what was not synced. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** What nobody caught has left the process in a state that nobody knows. */
function die(logger: PinoLogger, cause: unknown, message: string): never {
  logger.fatal({ cause }, message)
  process.exit(1)
}

function stopOnSignal(logger: PinoLogger, stop: () => Promise<void>): void {
  let isStopping = false
  const end = (signal: string) => {
    if (isStopping) process.exit(1)
    isStopping = true
    logger.info({ signal }, 'stopping; once more to end at once')
    // Once nobody is connected, nothing else keeps the process alive until all is closed: timers and threads do not.
    setInterval(() => {}, 60_000)
    stop().then(
      () => {
        logger.info({}, 'stopped')
        process.exit(0)
      },
      (cause: unknown) => die(logger, cause, 'the broker could not stop in order'),
    )
  }
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
}

async function serveHttp(config: Config, broker: Broker, metrics: Metrics): Promise<HttpListener | undefined> {
  if (config.http === 'off') return undefined
  addGauges(metrics, broker)
  const plain = (status: number, body: string) => ({ status, type: 'text/plain', body: `${body}\n` })
  return listenHttp(config.http, async (path) => {
    if (path === '/metrics') return { status: 200, ...(await metrics.text()) }
    if (path === '/healthz') return plain(200, 'alive')
    if (path !== '/readyz') return undefined
    const { offline } = broker.partitionCounts
    return offline === 0 ? plain(200, 'ready') : plain(503, `${offline} partitions are offline`)
  })
}
