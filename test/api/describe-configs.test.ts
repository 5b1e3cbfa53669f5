import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterContext } from '../../broker/api/context.ts'
import { describeConfigs } from '../../broker/api/describe-configs.ts'
import { BrokerConfig } from '../../broker/cluster/broker-config.ts'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import { MemoryTable } from '../support/memory-table.ts'

/** What broker 2 answers about itself under these names, where it stands in this rack. */
async function described(rack: string | null, names: readonly string[] | null) {
  const metadata = await MetadataLog.open({
    table: new MemoryTable(), itemCharactersMax: 10_000, attemptsMax: 5, itemsPerSnapshot: 1_000,
  })
  await metadata.change(() => ({
    records: [{ type: 'brokerRegistered', brokerId: 2, incarnation: 'i', diskId: 'd', host: 'h', port: 1, rack }], answer: undefined,
  }))
  const config = new BrokerConfig({ brokerId: 2, started: new Map([['num.partitions', '4']]), image: () => metadata.image })
  const context = { brokerId: 2, image: metadata.image, config } as unknown as ClusterContext
  const resources = [{ resourceType: 4, resourceName: '2', configurationKeys: names === null ? null : [...names] }]
  const call = { version: 4 } as never
  const request = { resources, includeSynonyms: true, includeDocumentation: false }
  const response = await describeConfigs(context).handle(request, call)
  return response!.results[0]!.configs
}

test('a broker shows its id and its rack among its settings, and that nobody can alter them', async () => {
  const facts = (await described('RACK2', ['broker.rack', 'node.id'])).map(({ name, value, readOnly, configSource }) => [
    name, value, readOnly, configSource,
  ])
  assert.deepEqual(facts, [['node.id', '2', true, 4], ['broker.rack', 'RACK2', true, 4]])
})

test('a broker in no rack says that this is the default', async () => {
  const [rack] = await described(null, ['broker.rack'])
  assert.deepEqual([rack!.value, rack!.configSource], [null, 5])
  assert.deepEqual(rack!.synonyms, [])
})

test('a setting that the broker was started with comes before the default', async () => {
  const [partitions] = await described(null, ['num.partitions'])
  assert.equal(partitions!.readOnly, false)
  assert.deepEqual(partitions!.synonyms, [
    { name: 'num.partitions', value: '4', source: 4 }, { name: 'num.partitions', value: '1', source: 5 },
  ])
})
