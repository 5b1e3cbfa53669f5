import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, readConfig } from '../broker/config.ts'

const none = { flags: {}, environment: {}, file: undefined }

test('without any setting a broker listens on loopback and keeps everything in ./data', () => {
  const config = readConfig(none)
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 9092 })
  assert.equal(config.data, './data')
  assert.equal(config.durability, 'fsync')
})

test('a flag wins over a variable, and a variable over the file', () => {
  const file = { id: 3, rack: 'a', data: '/file' }
  const environment = { LONGTAIL_RACK: 'b', LONGTAIL_DATA: '/variable' }
  const config = readConfig({ flags: { data: '/flag' }, environment, file })
  assert.deepEqual([config.id, config.rack, config.data], [3, 'b', '/flag'])
})

test('settings under Kafka\'s names are gathered from all three', () => {
  const config = readConfig({
    flags: { set: ['num.partitions=4'] },
    environment: { LONGTAIL_SET: 'group.initial.rebalance.delay.ms=0,num.partitions=2' },
    file: { set: { 'log.retention.ms': '1000' } },
  })
  assert.deepEqual(Object.fromEntries(config.set), {
    'num.partitions': '4', 'group.initial.rebalance.delay.ms': '0', 'log.retention.ms': '1000',
  })
})

const mistakes: [string, Parameters<typeof readConfig>[0], RegExp][] = [
  ['an address without a port', { ...none, flags: { listen: 'localhost' } }, /--listen 'localhost': must be HOST:PORT/],
  ['a port that cannot be', { ...none, flags: { listen: '127.0.0.1:70000' } }, /--listen '127.0.0.1:70000'/],
  ['a number that is none', { ...none, environment: { LONGTAIL_ID: 'x' } }, /LONGTAIL_ID 'x': must be a whole number from 0/],
  ['a choice that is not there', { ...none, file: { durability: 'maybe' } }, /"durability" in the configuration file 'maybe': must be fsync or replicated/],
  ['a setting that is not there', { ...none, file: { lisen: 'x' } }, /"lisen" in the configuration file: there is no such setting; there are listen,/],
  ['a Kafka setting that is not there', { ...none, flags: { set: ['num.partition=1'] } }, /'num.partition' is no broker setting/],
  ['a Kafka setting out of range', { ...none, flags: { set: ['num.partitions=0'] } }, /num.partitions is 0, and must be from 1/],
  ['a pair that is none', { ...none, flags: { set: ['num.partitions'] } }, /must be NAME=VALUE/],
  ['a file that is a list', { ...none, file: [] }, /one JSON object/],
  ['a door that is open to everybody', { ...none, flags: { listen: '0.0.0.0:9092' } }, /reachable from other machines.*--allow-unauthenticated/],
]

for (const [what, sources, message] of mistakes) {
  test(`${what} is refused with a sentence that names it`, () => {
    assert.throws(() => readConfig(sources), (error) => error instanceof ConfigError && message.test(error.message))
  })
}

test('the door can be opened by saying so', () => {
  assert.equal(readConfig({ ...none, flags: { listen: '0.0.0.0:9092', 'allow-unauthenticated': true } }).listen.host, '0.0.0.0')
})
