// Runs one Apache Kafka broker until it is interrupted, for trying a suite against it by hand.
//
//   node scripts/peer/apache-kafka-main.ts PORT [DIRECTORY] [NAME=VALUE ...]

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApacheKafka } from './apache-kafka.ts'
import { setUp } from './setup.ts'

setUp(['kafka', 'kafka tools'])
const [port = '9092', directory = mkdtempSync(join(tmpdir(), 'apache-kafka-')), ...settings] = process.argv.slice(2)
const broker = new ApacheKafka({
  directory,
  port: Number(port),
  settings: Object.fromEntries(settings.map((text) => text.split('=', 2) as [string, string])),
})
await broker.start()
console.log(`Apache Kafka ${broker.bootstrap}, pid ${broker.pid}, ${directory}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void broker.stop().then(() => process.exit(0)))
