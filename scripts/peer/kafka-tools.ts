// Kafka's command-line tools, by the names they have in Kafka's bin/ directory.

import { join } from 'node:path'
import { places } from './cache.ts'
import { fileURLToPath } from 'node:url'

const tools = 'org.apache.kafka.tools'

const classes: ReadonlyMap<string, string> = new Map([
  ['kafka-acls', 'kafka.admin.AclCommand'],
  ['kafka-broker-api-versions', `${tools}.BrokerApiVersionsCommand`],
  ['kafka-cluster', `${tools}.ClusterTool`],
  ['kafka-configs', 'kafka.admin.ConfigCommand'],
  ['kafka-console-consumer', `${tools}.consumer.ConsoleConsumer`],
  ['kafka-console-producer', `${tools}.ConsoleProducer`],
  ['kafka-consumer-groups', `${tools}.consumer.group.ConsumerGroupCommand`],
  ['kafka-consumer-perf-test', `${tools}.ConsumerPerformance`],
  ['kafka-delete-records', `${tools}.DeleteRecordsCommand`],
  ['kafka-get-offsets', `${tools}.GetOffsetShell`],
  ['kafka-groups', `${tools}.GroupsCommand`],
  ['kafka-leader-election', `${tools}.LeaderElectionCommand`],
  ['kafka-log-dirs', `${tools}.LogDirsCommand`],
  ['kafka-producer-perf-test', `${tools}.ProducerPerformance`],
  ['kafka-reassign-partitions', `${tools}.reassign.ReassignPartitionsCommand`],
  ['kafka-share-groups', `${tools}.consumer.group.ShareGroupCommand`],
  ['kafka-storage', 'kafka.tools.StorageTool'],
  ['kafka-topics', `${tools}.TopicCommand`],
  ['kafka-transactions', `${tools}.TransactionsCommand`],
  ['kafka-verifiable-consumer', `${tools}.VerifiableConsumer`],
  ['kafka-verifiable-producer', `${tools}.VerifiableProducer`],
])

export const toolNames: readonly string[] = [...classes.keys()]
export const classPath = join(places.jars, '*')

const logging = fileURLToPath(new URL('tools-logging.yaml', import.meta.url))

/** What comes behind `java` to run a tool. Short programs start faster where the JVM does not optimise for long. */
export function toolArguments(tool: string, args: readonly string[]): string[] {
  const main = classes.get(tool)
  if (main === undefined) throw new TypeError(`no tool of Kafka is called ${tool}`)
  return [...javaOptions, '-cp', classPath, main, ...args]
}

/** For every short Java program: a small heap, and logs that go to stderr from WARN on. */
export const javaOptions: readonly string[] = [
  '-Xmx512M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', `-Dlog4j2.configurationFile=${logging}`,
]
