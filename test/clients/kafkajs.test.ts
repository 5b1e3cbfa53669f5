import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import kafkajs from 'kafkajs'
import { clientCases } from '../cases/client.cases.ts'
import { testBroker } from '../support/test-broker.ts'
import { crashingMember } from './crashing-member.ts'
import { kafkajsClient, kafkaOf } from './kafkajs-client.ts'

describe('kafkajs', () => {
  const broker = testBroker()
  clientCases({ broker, open: kafkajsClient, joinToCrash: (bootstrap, options) => crashingMember('kafkajs', bootstrap, options) })

  test('administers topics, settings, records and groups', async () => {
    const admin = kafkaOf(broker.bootstrap).admin()
    await admin.connect()
    const topic = `admin-${randomUUID()}`
    try {
      assert.equal(
        await admin.createTopics({
          topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '12345' }] }],
        }),
        true,
      )
      assert.equal(await admin.createTopics({ topics: [{ topic }] }), false, 'a topic that exists is not made again')
      assert.ok((await admin.listTopics()).includes(topic))
      await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
      const {
        topics: [described],
      } = await admin.fetchTopicMetadata({ topics: [topic] })
      assert.equal(described?.partitions.length, 3)

      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }
      const retention = async () => {
        const {
          resources: [found],
        } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ['retention.ms'] }] })
        return found?.configEntries.map(({ configName, configValue }) => `${configName}=${configValue}`)
      }
      assert.deepEqual(await retention(), ['retention.ms=12345'])
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '23456' }] }],
      })
      assert.deepEqual(await retention(), ['retention.ms=23456'])

      const client = kafkajsClient(broker.bootstrap)
      await client.produce(
        topic,
        Array.from({ length: 10 }, (_, index) => ({ partition: 0, key: null, value: `${index}` })),
      )
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
      const offsets = await admin.fetchTopicOffsets(topic)
      assert.deepEqual(
        offsets.find(({ partition }) => partition === 0),
        { partition: 0, offset: '10', high: '10', low: '4' },
      )

      const group = `group-${topic}`
      await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '7' }] })
      const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      assert.equal(committed?.partitions.find(({ partition }) => partition === 0)?.offset, '7')
      assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === group))
      const {
        groups: [state],
      } = await admin.describeGroups([group])
      assert.equal(state?.state, 'Empty')
      await admin.deleteGroups([group])
      assert.ok(!(await admin.listGroups()).groups.some(({ groupId }) => groupId === group))
      await client.close()

      await admin.deleteTopics({ topics: [topic] })
      assert.ok(!(await admin.listTopics()).includes(topic))
    } finally {
      await admin.disconnect()
    }
  })
})
