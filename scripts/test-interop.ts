// `npm run test:interop`: clients that are not ours, and not JavaScript, against a broker: kcat, confluent-kafka, the
// Java client with Kafka's tools, franz-go, librdkafka's own tests, and Kafka's Java codecs against ours. What they need
// is installed first (scripts/peer/setup.ts), and what cannot be is said, with a status that is not zero.
//
//   node scripts/test-interop.ts [--against apache-kafka | --bootstrap HOST:PORT] [--full] [FILE ...]
//
// --full runs all of librdkafka's sub-tests (about 30 minutes in place of 8).

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { kafkaClientsJar } from './peer/cache.ts'
import { classPath } from './peer/kafka-tools.ts'
import { setUp } from './peer/setup.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, bootstrap: { type: 'string' }, full: { type: 'boolean', default: false } },
})
setUp()
const files = positionals.length > 0 ? positionals : globSync('test/interop/**/*.test.ts').sort()
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], {
  stdio: 'inherit',
  env: {
    ...process.env,
    KAFKA_CLIENTS_JAR: kafkaClientsJar,
    KAFKA_CLASSPATH: classPath,
    ...(values.against === undefined ? {} : { LONGTAIL_TEST_BROKER: values.against }),
    ...(values.bootstrap === undefined ? {} : { LONGTAIL_TEST_BOOTSTRAP: values.bootstrap }),
    ...(values.full ? { LONGTAIL_LIBRDKAFKA: 'full' } : {}),
  },
})
process.exit(status ?? 1)
