// Runs Apache Kafka until it is interrupted, for trying a suite against it by hand. With more brokers than one they are a
// cluster, on ports in a row.
//
//   node scripts/peer/apache-kafka-main.ts [--brokers N] PORT [DIRECTORY] [NAME=VALUE ...]

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ApacheKafka } from './apache-kafka.ts'
import { ApacheKafkaCluster } from './apache-kafka-cluster.ts'
import { setUp } from './setup.ts'

setUp(['kafka', 'kafka tools'])
const { values, positionals } = parseArgs({ allowPositionals: true, options: { brokers: { type: 'string', default: '1' } } })
const [port = '9092', directory = mkdtempSync(join(tmpdir(), 'apache-kafka-')), ...texts] = positionals
const settings = Object.fromEntries(texts.map((text) => text.split('=', 2) as [string, string]))
const ids = Array.from({ length: Number(values.brokers) }, (_, index) => index + 1)
const ports = new Map(ids.map((id) => [id, Number(port) + id - 1]))
const broker = ids.length === 1
  ? new ApacheKafka({ directory, port: Number(port), settings })
  : await ApacheKafkaCluster.create({ directory, ids, ports, settings })
await broker.start()
const pids = broker instanceof ApacheKafka ? [broker.pid] : [...broker.pids.values()]
console.log(`Apache Kafka ${broker.bootstrap}, pid ${pids.join(', ')}, ${directory}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void broker.stop().then(() => process.exit(0)))
