import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import { clientCases } from '../cases/client.cases.ts'
import { consumerGroupSettings, testBroker } from '../support/test-broker.ts'
import { Agent, agentLibrary, agentToCrash } from './agent.ts'

describe('the Java client', () => {
  const broker = testBroker(consumerGroupSettings)
  for (const protocol of ['classic', 'consumer'] as const) {
    const program = {
      command: 'java',
      args: [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'Agent'],
      compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
      protocol,
    }
    describe(`with group.protocol=${protocol}`, () => {
      clientCases({
        broker,
        open: (bootstrap) => agentLibrary(program, bootstrap),
        joinToCrash: (bootstrap, options) => agentToCrash(program, bootstrap, options),
      })

      test('subscribes to what matches a regular expression, also when it is made later', async () => {
        const prefix = `regex-${randomUUID()}`
        const library = agentLibrary(program, broker.bootstrap)
        const member = new Agent(program, broker.bootstrap)
        const values = new Set<string>()
        member.onRecord = ({ value }) => values.add(`${value}`)
        const receives = async (value: string) => {
          const deadline = performance.now() + 30_000
          while (!values.has(value)) {
            assert.ok(performance.now() < deadline, `'${value}' was not received`)
            await sleep(20)
          }
        }
        try {
          for (const topic of [`${prefix}-yes-1`, `${prefix}-no`]) {
            await library.createTopic(topic, 1)
            await library.produce(topic, [{ partition: 0, key: null, value: topic }])
          }
          await member.ask({ do: 'join', group: prefix, pattern: `${prefix}-yes-.*`, protocol, sessionTimeoutMs: 10_000 })
          await receives(`${prefix}-yes-1`)
          await library.createTopic(`${prefix}-yes-2`, 1)
          await library.produce(`${prefix}-yes-2`, [{ partition: 0, key: null, value: 'later' }])
          await receives('later')
          assert.ok(!values.has(`${prefix}-no`))
        } finally {
          await member.ask({ do: 'leave' })
          await Promise.all([member.end(), library.close()])
        }
      })
    })
  }
})
