import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { expectations, isRequired, runSuite } from '../../scripts/peer/librdkafka-suite.ts'
import { brokerCount, testBroker } from '../support/test-broker.ts'

const isFull = process.env['LONGTAIL_LIBRDKAFKA'] === 'full'

describe(`librdkafka's own tests, ${isFull ? 'in full' : 'in quick mode'}, brokers: ${brokerCount}`, () => {
  // Tests of static and cooperative members count on the pause before a group's first rebalance, so it stays Kafka's default.
  const broker = testBroker({ 'num.partitions': '4' })

  test('pass wherever as many Apache Kafka brokers pass and nothing from later issues is needed', async (context) => {
    const listed = expectations({ brokerCount })
    const required = [...listed].filter(([, expected]) => isRequired(expected, isFull))
    const numbers = new Set(required.map(([name]) => (name.includes('/') ? name : name.slice(0, 4))))
    const results = await runSuite({
      bootstrap: broker.bootstrap,
      pool: 3,
      isFull,
      numbers: [...numbers],
      // 0113 takes ten minutes in full, here as on Apache Kafka.
      limitSeconds: isFull ? 900 : 200,
      onResult: () => {},
    })
    let proven = 0
    for (const [name, expected] of required) {
      const outcome = results.get(name)
      const provesNothing = !isFull && expected.quick !== undefined
      if (!provesNothing) proven++
      await context.test(provesNothing ? `${name} (${expected.quick}: proves nothing in quick mode)` : name, () => {
        assert.equal(outcome?.state, 'PASSED', outcome?.reason)
      })
      if (outcome?.attempts !== undefined) context.diagnostic(`${name}: attempts ${outcome.attempts}`)
    }
    context.diagnostic(
      `${proven} of ${required.length} required tests prove something in this mode; ${listed.size - required.length} are not required, for the reasons in expected.json`,
    )
  })
})
