import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { clientCases } from '../cases/client.cases.ts'
import { brokerCount, consumerGroupSettings, testBroker } from '../support/test-broker.ts'
import { crashingMember } from './crashing-member.ts'
import { platformaticClient } from './platformatic-client.ts'

describe('@platformatic/kafka', () => {
  const broker = testBroker(consumerGroupSettings)
  describe('with classic groups', () => {
    clientCases({
      broker,
      open: (bootstrap) => platformaticClient(bootstrap, 'classic'),
      joinToCrash: (bootstrap, options) => crashingMember('platformatic', bootstrap, options),
    })
  })
  describe('with the groups of KIP-848', () => {
    clientCases({
      broker,
      open: (bootstrap) => platformaticClient(bootstrap, 'consumer'),
      joinToCrash: (bootstrap, options) => crashingMember('platformatic-consumer', bootstrap, options),
    })
  })

  test('administers topics, settings, records and groups', async () => {
    const admin = new Admin({ clientId: 'admin', bootstrapBrokers: broker.bootstrap.split(','), retries: 5 })
    const topic = `admin-${randomUUID()}`
    try {
      await admin.createTopics({
        topics: [topic],
        partitions: 2,
        replicas: -1,
        configs: [{ name: 'retention.ms', value: '12345' }],
      })
      await assert.rejects(admin.createTopics({ topics: [topic], partitions: 2, replicas: -1 }))
      assert.ok((await admin.listTopics()).includes(topic))
      const brokerIds = [...(await admin.metadata({ topics: [topic], forceUpdate: true })).brokers.keys()].slice(0, brokerCount)
      await admin.createPartitions({ topics: [{ name: topic, count: 3, assignments: [{ brokerIds }] }] })
      const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
      assert.equal(metadata.topics.get(topic)?.partitionsCount, 3)

      const client = platformaticClient(broker.bootstrap, 'classic')
      await client.produce(
        topic,
        Array.from({ length: 10 }, (_, index) => ({ partition: 0, key: null, value: `${index}` })),
      )
      const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 4n }] }] })
      assert.equal(deleted?.partitions[0]?.lowWatermark, 4n)
      await client.close()

      const group = `group-${topic}`
      await admin.alterConsumerGroupOffsets({
        groupId: group,
        topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 7n }] }],
      })
      const [committed] = await admin.listConsumerGroupOffsets({ groups: [group] })
      assert.equal(committed?.topics[0]?.partitions[0]?.committedOffset, 7n)
      assert.ok((await admin.listGroups()).has(group))
      await admin.deleteGroups({ groups: [group] })
      assert.ok(!(await admin.listGroups()).has(group))

      await admin.deleteTopics({ topics: [topic] })
      assert.ok(!(await admin.listTopics()).includes(topic))
    } finally {
      await admin.close()
    }
  })
})
