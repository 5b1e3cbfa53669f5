import { describe } from 'node:test'
import { fileURLToPath } from 'node:url'
import { olderClassPath, places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import { transactionCases } from '../cases/transaction.cases.ts'
import { consumerGroupSettings, testBroker } from '../support/test-broker.ts'
import { transactionalAgents, type TransactionalProgram } from './transactional-agent.ts'

const java = (jars: string) => ({ command: 'java', args: [...javaOptions, '-cp', `${places.classes}:${jars}`, 'Agent'] })
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const fencedInJava = /ProducerFencedException|InvalidProducerEpochException/

/** TV2: partitions join by being produced to, and each transaction has an epoch of its own (KIP-890); TV1: neither. */
const programs: ReadonlyMap<string, TransactionalProgram & { readonly isOnlyOfGroups?: boolean }> = new Map([
  ['Java, classic groups (TV2)', { ...java(classPath), protocol: 'classic', fenced: fencedInJava }],
  ['Java, KIP-848 groups (TV2)', { ...java(classPath), protocol: 'consumer', fenced: fencedInJava, isOnlyOfGroups: true }],
  ['Java 3.9 (TV1)', { ...java(olderClassPath), protocol: 'classic', fenced: fencedInJava }],
  ['confluent-kafka, which is librdkafka (TV1)', { command: places.python, args: [here('python/agent.py')], protocol: 'classic', fenced: /FENCED|fenced|INVALID_PRODUCER_EPOCH/ }],
  ['franz-go (TV2)', { command: `${places.programs}/franz-go-clients`, args: [], protocol: 'classic', fenced: /INVALID_PRODUCER_EPOCH|PRODUCER_FENCED|fenced/i }],
  ['kafkajs (TV1)', { command: process.execPath, args: [here('../clients/kafkajs-agent.ts')], protocol: 'classic', fenced: /old epoch|newer producer|fence/ }],
])

for (const [name, { isOnlyOfGroups = false, ...program }] of programs) {
  describe(`transactions of ${name}`, () => {
    transactionCases({ broker: testBroker(consumerGroupSettings), open: (bootstrap) => transactionalAgents(program, bootstrap), isOnlyOfGroups })
  })
}
