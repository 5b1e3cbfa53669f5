import { describe } from 'node:test'
import { fileURLToPath } from 'node:url'
import { places } from '../../scripts/peer/cache.ts'
import { clientCases } from '../cases/client.cases.ts'
import { consumerGroupSettings, testBroker } from '../support/test-broker.ts'
import { agentLibrary, agentToCrash } from './agent.ts'

describe('confluent-kafka for Python, which is librdkafka', () => {
  const broker = testBroker(consumerGroupSettings)
  for (const protocol of ['classic', 'consumer'] as const) {
    const program = {
      command: places.python,
      args: [fileURLToPath(new URL('python/agent.py', import.meta.url))],
      compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
      protocol,
    }
    describe(`with group.protocol=${protocol}`, () => {
      clientCases({
        broker,
        open: (bootstrap) => agentLibrary(program, bootstrap),
        joinToCrash: (bootstrap, options) => agentToCrash(program, bootstrap, options),
      })
    })
  }
})
