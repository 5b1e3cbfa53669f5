// Where everything lies that the suites and the bench need beside Node: one directory, shared by all checkouts of a
// user, filled by scripts/peer/setup.ts. Nothing here is installed by `npm start` or `npm test`.

import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('../..', import.meta.url))
export const cache = process.env['LONGTAIL_CACHE'] ?? join(homedir(), '.cache', 'longtail')

export const versions = {
  kafka: '4.3.1',
  /** The last client that knows no more than transactions as they were before KIP-890's second part. */
  olderKafkaClients: '3.9.1',
  /** The npm package that carries the sources of librdkafka 2.15. */
  confluentJavascript: '1.10.1',
  confluentPython: '2.16.1',
} as const

export const places = {
  /** Apache Kafka's jars, those of the broker and of the tools. */
  jars: join(cache, 'kafka', 'libs'),
  /** An older Java client's jar, and nothing else. */
  olderClients: join(cache, 'kafka-clients-older'),
  /** A directory with `bin/kafka-*.sh`, as librdkafka's tests expect one. */
  kafkaHome: join(cache, 'kafka'),
  /** A virtual environment with confluent-kafka. */
  python: join(cache, 'python', 'bin', 'python'),
  /** librdkafka's sources, built. */
  librdkafka: join(cache, 'librdkafka'),
  /** Programs of ours that are compiled: C, Go. */
  programs: join(cache, 'bin'),
  /** Java classes of ours. */
  classes: join(cache, 'classes'),
} as const

export const kafkaClientsJar = join(places.jars, `kafka-clients-${versions.kafka}.jar`)

/** What an older Java client runs with: its own jar comes before the newest one. */
export const olderClassPath = `${join(places.olderClients, `kafka-clients-${versions.olderKafkaClients}.jar`)}:${join(places.jars, '*')}`
