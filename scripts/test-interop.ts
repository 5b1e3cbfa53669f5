// `npm run test:interop`: clients that are not ours, and not JavaScript, against a broker: kcat, confluent-kafka, the
// Java client with Kafka's tools, franz-go, librdkafka's own tests, and Kafka's Java codecs against ours. What they need
// is installed first (scripts/peer/setup.ts), and what cannot be is said, with a status that is not zero.
//
//   node scripts/test-interop.ts [--against apache-kafka | --bootstrap HOST:PORT] [--brokers N [--localstack]] [--full] [FILE ...]
//
// --brokers N: against a cluster of so many, with replication factor 3; ours is on SQLite and a folder, or on LocalStack.
// --full runs all of librdkafka's sub-tests (about 30 minutes in place of 8).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { withLocalstack } from './localstack.ts'
import { kafkaClientsJar } from './peer/cache.ts'
import { classPath } from './peer/kafka-tools.ts'
import { setUp } from './peer/setup.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    bootstrap: { type: 'string' },
    full: { type: 'boolean', default: false },
    brokers: { type: 'string', default: '1' },
    localstack: { type: 'boolean', default: false },
  },
})
setUp()
const files = positionals.length > 0 ? positionals : globSync('test/interop/**/*.test.ts').sort()

async function run(localstackUrl: string | undefined): Promise<number> {
  const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], {
    stdio: 'inherit',
    env: {
      ...process.env,
      KAFKA_CLIENTS_JAR: kafkaClientsJar,
      KAFKA_CLASSPATH: classPath,
      LONGTAIL_TEST_BROKERS: values.brokers,
      ...(localstackUrl === undefined ? {} : { LONGTAIL_LOCALSTACK_URL: localstackUrl }),
      ...(values.against === undefined ? {} : { LONGTAIL_TEST_BROKER: values.against }),
      ...(values.bootstrap === undefined ? {} : { LONGTAIL_TEST_BOOTSTRAP: values.bootstrap }),
      ...(values.full ? { LONGTAIL_LIBRDKAFKA: 'full' } : {}),
    },
  })
  process.on('SIGINT', () => {})
  const [code] = await once(tests, 'exit')
  return (code as number | null) ?? 1
}

process.exitCode = values.localstack ? await withLocalstack(run) : await run(undefined)
