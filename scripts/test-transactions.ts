// `npm run test:transactions`: consume-transform-produce with Kafka's Java client, librdkafka, franz-go and kafkajs, while
// brokers and clients are killed (-9) and started again. Then every input has to be in the output exactly once, with no
// transaction torn, lost, seen while aborted, or stuck.
//
//   node scripts/test-transactions.ts [--transactions N] [--brokers N] [--against apache-kafka] [--kill-every MS]
//
// --transactions: so many are committed at least (2,000).

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { setUp } from './peer/setup.ts'

const { values } = parseArgs({
  options: { transactions: { type: 'string' }, brokers: { type: 'string' }, against: { type: 'string' }, 'kill-every': { type: 'string' } },
})
setUp(['commands', 'kafka', 'python', 'java', 'go', 'kafka tools'])
const variables = {
  LONGTAIL_TRANSACTIONS: values.transactions, LONGTAIL_TEST_BROKERS: values.brokers, LONGTAIL_TEST_BROKER: values.against,
  LONGTAIL_TRANSACTIONS_KILL_EVERY_MS: values['kill-every'],
}
const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
const { status } = spawnSync(process.execPath, ['--test', '--test-force-exit', '--test-reporter=spec', 'test/transactions/kill.test.ts'], {
  stdio: 'inherit', env: { ...process.env, ...given },
})
process.exit(status ?? 1)
