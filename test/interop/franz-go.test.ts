import { join } from 'node:path'
import { describe } from 'node:test'
import { places } from '../../scripts/peer/cache.ts'
import { clientCases } from '../cases/client.cases.ts'
import { consumerGroupSettings, testBroker } from '../support/test-broker.ts'
import { agentLibrary, agentToCrash } from './agent.ts'

describe('franz-go', () => {
  const broker = testBroker(consumerGroupSettings)
  for (const protocol of ['classic', 'consumer'] as const) {
    const program = {
      command: join(places.programs, 'franz-go-clients'),
      args: [],
      compressions: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
      protocol,
    }
    describe(protocol === 'classic' ? 'with classic groups' : 'with the groups of KIP-848', () => {
      clientCases({
        broker,
        open: (bootstrap) => agentLibrary(program, bootstrap),
        joinToCrash: (bootstrap, options) => agentToCrash(program, bootstrap, options),
      })
    })
  }
})
