import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { toolArguments } from '../../scripts/peer/kafka-tools.ts'
import { testBroker } from '../support/test-broker.ts'
import { run, tool } from './shell.ts'

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

describe("Kafka's command-line tools", () => {
  const broker = testBroker()
  const scratch = mkdtempSync(join(tmpdir(), 'longtail-tools-'))
  after(() => rmSync(scratch, { recursive: true, force: true }))

  const unique = (prefix: string) => `${prefix}-${randomUUID()}`
  const call = (name: string, args: readonly string[], input?: string) =>
    tool(name, ['--bootstrap-server', broker.bootstrap, ...args], { ...(input === undefined ? {} : { input }) })
  const create = (topic: string, args: readonly string[] = ['--partitions', '1']) =>
    call('kafka-topics', ['--create', '--topic', topic, ...args])
  const replicas = Math.min(Number(process.env['LONGTAIL_TEST_BROKERS'] ?? 1), 3)
  const produce = (topic: string, values: readonly string[], args: readonly string[] = []) =>
    call('kafka-console-producer', ['--topic', topic, ...args], `${values.join('\n')}\n`)
  const consume = (topic: string, count: number, args: readonly string[] = ['--from-beginning']) =>
    call('kafka-console-consumer', ['--topic', topic, '--max-messages', String(count), '--timeout-ms', '20000', ...args])
  const file = (name: string, content: object) => {
    const path = join(scratch, name)
    writeFileSync(path, JSON.stringify(content))
    return path
  }

  test('kafka-broker-api-versions lists every API, and finds none unusable', async () => {
    const text = await call('kafka-broker-api-versions', [])
    for (const api of [
      'Produce(0)',
      'Fetch(1)',
      'ListOffsets(2)',
      'Metadata(3)',
      'ConsumerGroupHeartbeat(68)',
      'DescribeTopicPartitions(75)',
    ]) {
      assert.match(text, new RegExp(`${api.replaceAll(/[()]/g, '\\$&')}: \\d+`), api)
    }
    assert.doesNotMatch(text, /Produce\(0\): .*UNSUPPORTED/)
  })

  test('kafka-topics creates, lists, describes, grows and deletes a topic', async () => {
    const topic = unique('topic')
    await create(topic, ['--partitions', '2', '--config', 'retention.ms=12345'])
    assert.ok(lines(await call('kafka-topics', ['--list'])).includes(topic))
    const described = await call('kafka-topics', ['--describe', '--topic', topic])
    assert.match(described, new RegExp(`PartitionCount: 2\\s+ReplicationFactor: ${replicas}\\s+Configs:.*retention\\.ms=12345`))
    assert.equal(described.match(/Leader: \d+/g)?.length, 2)
    assert.match(described, /TopicId: [\w-]{22}/)
    await call('kafka-topics', ['--alter', '--topic', topic, '--partitions', '5'])
    assert.match(await call('kafka-topics', ['--describe', '--topic', topic]), /PartitionCount: 5/)
    const again = await run(
      'java',
      toolArguments('kafka-topics', ['--bootstrap-server', broker.bootstrap, '--create', '--topic', topic]),
    )
    assert.match(again.stdout + again.stderr, /already exists/)
    await call('kafka-topics', ['--delete', '--topic', topic])
    assert.ok(!lines(await call('kafka-topics', ['--list'])).includes(topic))
  })

  test('kafka-configs describes and alters settings of topics, brokers and groups', async () => {
    const topic = unique('configs')
    await create(topic)
    const topics = (args: readonly string[]) =>
      call('kafka-configs', ['--entity-type', 'topics', '--entity-name', topic, ...args])
    await topics(['--alter', '--add-config', 'retention.ms=77777,max.message.bytes=2000000'])
    assert.match(await topics(['--describe']), /max\.message\.bytes=2000000[\s\S]*retention\.ms=77777/)
    await topics(['--alter', '--delete-config', 'max.message.bytes'])
    const described = await topics(['--describe'])
    assert.match(described, /retention\.ms=77777/)
    assert.doesNotMatch(described, /max\.message\.bytes/)
    assert.match(await topics(['--describe', '--all']), /segment\.bytes=1073741824|segment\.bytes=67108864/)
    const refused = await run(
      'java',
      toolArguments('kafka-configs', [
        '--bootstrap-server',
        broker.bootstrap,
        '--entity-type',
        'topics',
        '--entity-name',
        topic,
        '--alter',
        '--add-config',
        'retention.ms=soon',
      ]),
    )
    assert.notEqual(refused.status, 0)
    assert.match(refused.stdout + refused.stderr, /InvalidConfigurationException/)

    const brokers = (args: readonly string[]) =>
      call('kafka-configs', ['--entity-type', 'brokers', '--entity-name', '1', ...args])
    await brokers(['--alter', '--add-config', 'message.max.bytes=1500000'])
    assert.match(await brokers(['--describe']), /message\.max\.bytes=1500000/)
    await brokers(['--alter', '--delete-config', 'message.max.bytes'])
    const groups = (args: readonly string[]) =>
      call('kafka-configs', ['--entity-type', 'groups', '--entity-name', unique('g'), ...args])
    await groups(['--alter', '--add-config', 'consumer.session.timeout.ms=46000'])
  })

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`the console tools produce with ${compression} and consume it`, async () => {
      const topic = unique(compression)
      await create(topic)
      const values = Array.from({ length: 100 }, (_, index) => `${index} ${'y'.repeat(index)}`)
      await produce(topic, values, ['--compression-codec', compression])
      assert.deepEqual(lines(await consume(topic, values.length)), values)
    })
  }

  test('the console consumer prints keys, headers, offsets and times, from an offset on', async () => {
    const topic = unique('parts')
    await create(topic)
    await produce(
      topic,
      ['a:1\tk1\tv1', 'b:2\tk2\tv2', 'c:3\tk3\tv3'],
      ['--reader-property', 'parse.key=true', '--reader-property', 'parse.headers=true'],
    )
    const printed = await consume(topic, 2, [
      '--partition',
      '0',
      '--offset',
      '1',
      ...['print.key', 'print.headers', 'print.offset', 'print.partition'].flatMap((name) => [
        '--formatter-property',
        `${name}=true`,
      ]),
    ])
    assert.deepEqual(lines(printed), ['Partition:0\tOffset:1\tb:2\tk2\tv2', 'Partition:0\tOffset:2\tc:3\tk3\tv3'])
  })

  test('kafka-get-offsets finds offsets by time and by the names of ends', async () => {
    const topic = unique('offsets')
    await create(topic)
    await produce(topic, ['1', '2', '3'])
    await sleep(1100)
    const between = Date.now()
    await produce(topic, ['4', '5'])
    const offsetAt = async (time: string) => (await call('kafka-get-offsets', ['--topic', topic, '--time', time])).trim()
    assert.equal(await offsetAt('latest'), `${topic}:0:5`)
    assert.equal(await offsetAt('earliest'), `${topic}:0:0`)
    assert.equal(await offsetAt('max-timestamp'), `${topic}:0:4`)
    assert.equal(await offsetAt(String(between)), `${topic}:0:3`)
    assert.equal(await offsetAt('earliest-local'), `${topic}:0:0`)
    assert.match(await offsetAt('-1'), /:5$/)
    assert.match(await offsetAt('-2'), /:0$/)
    assert.match(await offsetAt('-3'), /:4$/)
    assert.match(await offsetAt('-4'), /:0$/)
    // Nothing of it was ever in the object store: no offset, and no line.
    assert.match(await offsetAt('-5'), /^$|:(-1)?$/)
  })

  test('kafka-delete-records moves the start of a partition', async () => {
    const topic = unique('deleted')
    await create(topic)
    await produce(topic, ['1', '2', '3', '4', '5'])
    const wanted = file('records.json', { partitions: [{ topic, partition: 0, offset: 3 }], version: 1 })
    assert.match(await call('kafka-delete-records', ['--offset-json-file', wanted]), /low_watermark: 3/)
    assert.deepEqual(lines(await consume(topic, 2)), ['4', '5'])
    assert.match(await call('kafka-get-offsets', ['--topic', topic, '--time', 'earliest']), /:0:3/)
  })

  test('kafka-log-dirs tells the size of a partition', async () => {
    const topic = unique('sizes')
    await create(topic)
    await produce(topic, ['z'.repeat(5000)])
    const json = lines(await call('kafka-log-dirs', ['--describe', '--topic-list', topic])).find((line) => line.startsWith('{'))!
    const { brokers } = JSON.parse(json) as {
      brokers: { logDirs: { error: null; partitions: { partition: string; size: number }[] }[] }[]
    }
    const partitions = brokers.flatMap(({ logDirs }) => logDirs.flatMap((directory) => directory.partitions))
    assert.deepEqual(
      partitions.map(({ partition }) => partition),
      Array.from({ length: replicas }, () => `${topic}-0`),
    )
    // A follower may be a moment behind.
    const largest = Math.max(...partitions.map(({ size }) => size))
    assert.ok(largest > 5000 && largest < 6000, `${largest} bytes`)
  })

  for (const protocol of ['classic', 'consumer']) {
    test(`kafka-consumer-groups describes, resets and deletes a group with group.protocol=${protocol}`, async () => {
      const [topic, group] = [unique('groups'), unique('group')]
      await create(topic, ['--partitions', '2'])
      await produce(
        topic,
        Array.from({ length: 10 }, (_, index) => `${index}:${index}`),
        ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'],
      )
      const groups = (args: readonly string[]) => call('kafka-consumer-groups', args)
      const consumer = spawn(
        'java',
        toolArguments('kafka-console-consumer', [
          '--bootstrap-server',
          broker.bootstrap,
          '--topic',
          topic,
          '--group',
          group,
          '--from-beginning',
          '--command-property',
          `group.protocol=${protocol}`,
          '--command-property',
          'auto.commit.interval.ms=100',
        ]),
      )
      try {
        const described = await eventually(
          () => groups(['--describe', '--group', group]),
          (text) => (text.match(/ console-consumer\s*$/gm) ?? []).length === 2 && totalLag(text) === 0,
        )
        assert.equal(rows(described, topic).length, 2)
        assert.match(await groups(['--describe', '--group', group, '--state']), /Stable\s+1/)
        assert.match(await groups(['--describe', '--group', group, '--members', '--verbose']), new RegExp(`${topic}`))
        assert.ok(lines(await groups(['--list'])).includes(group))
        assert.match(await groups(['--list', '--state', 'Stable', '--type', protocol]), new RegExp(group))
        const refused = await groups(['--delete', '--group', group]).catch(String)
        assert.match(refused, /GroupNotEmptyException|not empty/)
      } finally {
        consumer.kill('SIGTERM')
        await new Promise((resolve) => consumer.once('exit', resolve))
      }
      await eventually(
        () => groups(['--describe', '--group', group, '--state']),
        (text) => /Empty\s+0/.test(text),
      )
      const reset = (args: readonly string[]) =>
        groups(['--reset-offsets', '--group', group, '--topic', topic, '--execute', ...args])
      const newOffsets = (text: string) =>
        rows(text, topic)
          .map((columns) => Number(columns[3]))
          .reduce((total, offset) => total + offset, 0)
      assert.equal(newOffsets(await reset(['--to-earliest'])), 0)
      assert.equal(newOffsets(await reset(['--to-latest'])), 10)
      assert.equal(newOffsets(await reset(['--shift-by', '-1'])), 8)
      assert.equal(newOffsets(await reset(['--to-offset', '1'])), 2)
      assert.equal(newOffsets(await reset(['--to-datetime', '2020-01-01T00:00:00.000'])), 0)
      assert.equal(totalLag(await groups(['--describe', '--group', group])), 10)
      assert.match(await groups(['--delete-offsets', '--group', group, '--topic', topic]), /Successful/)
      assert.match(await groups(['--delete', '--group', group]), /successful/)
      assert.ok(!lines(await groups(['--list'])).includes(group))
    })
  }

  test('kafka-producer-perf-test and kafka-consumer-perf-test move 20,000 records', async () => {
    const topic = unique('perf')
    await create(topic, ['--partitions', '3'])
    const produced = await call('kafka-producer-perf-test', [
      '--topic',
      topic,
      '--num-records',
      '20000',
      '--record-size',
      '200',
      '--throughput',
      '-1',
      '--command-property',
      'acks=all',
      'compression.type=lz4',
    ])
    assert.match(produced, /20000 records sent/)
    const consumed = await call('kafka-consumer-perf-test', ['--topic', topic, '--num-records', '20000', '--hide-header'])
    assert.match(consumed, /, 20000, /)
  })

  test('the verifiable producer and consumer agree on what was written', async () => {
    const [topic, group] = [unique('verifiable'), unique('group')]
    await create(topic, ['--partitions', '3'])
    const produced = await call('kafka-verifiable-producer', ['--topic', topic, '--max-messages', '2000', '--acks', '-1'])
    assert.match(produced, /"sent":2000,"acked":2000|"acked":2000.*"sent":2000/)
    const consumed = await call('kafka-verifiable-consumer', [
      '--topic',
      topic,
      '--group-id',
      group,
      '--max-messages',
      '2000',
      '--reset-policy',
      'earliest',
    ])
    const counts = lines(consumed).map((line) => JSON.parse(line) as { name: string; count?: number })
    const total = counts.filter(({ name }) => name === 'records_consumed').reduce((sum, { count = 0 }) => sum + count, 0)
    assert.equal(total, 2000)
    assert.ok(counts.some(({ name }) => name === 'offsets_committed'))
  })

  test("kafka-cluster tells the cluster's id", async () => {
    const text = await tool('kafka-cluster', ['cluster-id', '--bootstrap-server', broker.bootstrap])
    assert.match(text, /Cluster ID: [\w-]{22}/)
  })
})

/** The table's rows that are about the topic, cut into columns. */
function rows(text: string, topic: string): string[][] {
  return lines(text)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.includes(topic))
}

/** Column six of `--describe`. */
function totalLag(text: string): number {
  const header =
    lines(text)
      .find((line) => line.includes('LAG'))
      ?.trim()
      .split(/\s+/) ?? []
  const at = header.indexOf('LAG')
  const topicRows = lines(text)
    .filter((line) => line.includes('groups-'))
    .map((line) => line.trim().split(/\s+/))
  return topicRows.reduce((total, columns) => total + Number(columns[at]), 0)
}

async function eventually(ask: () => Promise<string>, isRight: (text: string) => boolean): Promise<string> {
  let last = ''
  for (const deadline = performance.now() + 45_000; performance.now() < deadline; await sleep(300)) {
    last = await ask().catch(String)
    if (isRight(last)) return last
  }
  assert.fail(`not within 45 s; the last was:\n${last}`)
}
