import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { testBroker } from '../support/test-broker.ts'
import { output, run } from './shell.ts'

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

describe('kcat', () => {
  const broker = testBroker()
  const kcat = (args: readonly string[], input?: string) =>
    output('kcat', ['-q', '-b', broker.bootstrap, ...args], { ...(input === undefined ? {} : { input }) })
  const unique = (prefix: string) => `${prefix}-${randomUUID()}`
  const produce = (topic: string, values: readonly string[], args: readonly string[] = []) =>
    kcat(['-P', '-t', topic, '-p', '0', '-X', 'acks=all', ...args], `${values.join('\n')}\n`)
  const consume = (topic: string, args: readonly string[]) => kcat(['-C', '-t', topic, '-p', '0', '-e', ...args])

  test('lists the broker and a topic that it made by producing', async () => {
    const topic = unique('listed')
    await produce(topic, ['hello'])
    const { brokers, topics } = JSON.parse(await kcat(['-L', '-J', '-t', topic])) as {
      brokers: { name: string }[]
      topics: { topic: string; partitions: { leader: number }[] }[]
    }
    assert.deepEqual(
      brokers.map(({ name }) => name).toSorted(),
      broker.bootstrap.split(',').toSorted(),
    )
    assert.deepEqual(
      topics.map(({ topic: name, partitions }) => [name, partitions.length]),
      [[topic, 4]],
    )
  })

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    test(`produces with ${compression} and reads it back`, async () => {
      const topic = unique(compression)
      const values = Array.from({ length: 500 }, (_, index) => `${index} ${'x'.repeat(index % 50)}`)
      await produce(topic, values, ['-z', compression])
      assert.deepEqual(lines(await consume(topic, ['-o', 'beginning'])), values)
    })
  }

  test('keeps keys, headers and null values', async () => {
    const topic = unique('parts')
    await kcat(['-P', '-t', topic, '-p', '0', '-k', 'the key', '-H', 'colour=blue', '-H', 'size=3'], 'the value\n')
    await kcat(['-P', '-t', topic, '-p', '0', '-K:', '-Z'], 'gone:\n')
    assert.deepEqual(lines(await consume(topic, ['-o', 'beginning', '-f', '%k %S %s %h\n'])), [
      'the key 9 the value colour=blue,size=3',
      'gone -1  ',
    ])
  })

  test('is idempotent where it is told to be', async () => {
    const topic = unique('idempotent')
    const values = Array.from({ length: 5000 }, (_, index) => String(index))
    await produce(topic, values, ['-X', 'enable.idempotence=true', '-X', 'linger.ms=0', '-X', 'batch.num.messages=50'])
    assert.deepEqual(lines(await consume(topic, ['-o', 'beginning'])), values)
  })

  test('seeks by offset, from the end, and by time', async () => {
    const topic = unique('seeking')
    await produce(
      topic,
      Array.from({ length: 10 }, (_, index) => `early ${index}`),
    )
    await sleep(50)
    const between = Date.now()
    await sleep(50)
    await produce(
      topic,
      Array.from({ length: 10 }, (_, index) => `late ${index}`),
    )
    assert.equal(lines(await consume(topic, ['-o', '13']))[0], 'late 3')
    assert.deepEqual(lines(await consume(topic, ['-o', '-2'])), ['late 8', 'late 9'])
    assert.equal(lines(await consume(topic, ['-o', `s@${between}`]))[0], 'late 0')
    assert.match(await kcat(['-Q', '-t', `${topic}:0:${between}`]), /offset 10/)
  })

  test('consumes in a group of three with one that crashes, and goes on where the group committed', async () => {
    const [topic, group] = [unique('group'), unique('group')]
    const values = Array.from({ length: 200 }, (_, index) => `first ${index}`)
    await kcat(['-P', '-t', topic], `${values.join('\n')}\n`)
    const members = [0, 1, 2].map(() => new GroupMember(broker.bootstrap, group, topic))
    try {
      await until('everything is received', () => new Set(members.flatMap(({ received }) => received)).size === values.length)
      await until('the three share', () => members.every(({ partitions }) => partitions > 0) && sum(members) === 4)
      // What it received and did not commit yet would rightly be received again. kcat commits every 5 s: it takes
      // `auto.commit.interval.ms` for the property of a topic that has the same name and no effect here.
      await untilCommitted(broker.bootstrap, { group, topic, records: values.length })
      members[2]!.crash()
      await until('two share what the crashed one had', () => sum(members.slice(0, 2)) === 4)
    } finally {
      await Promise.all(members.slice(0, 2).map((member) => member.leave()))
    }
    await kcat(['-P', '-t', topic], 'second 1\nsecond 2\n')
    const next = new GroupMember(broker.bootstrap, group, topic)
    await until('the rest is received', () => next.received.includes('second 1') && next.received.includes('second 2'))
    await next.leave()
    assert.deepEqual(
      next.received.filter((value) => value.startsWith('first')),
      [],
      'what was committed is not read again',
    )
  })

  test('is told when there is no such offset', async () => {
    const topic = unique('range')
    await produce(topic, ['one'])
    const { stderr } = await run(
      'kcat',
      ['-b', broker.bootstrap, '-C', '-t', topic, '-p', '0', '-e', '-o', '7', '-X', 'auto.offset.reset=error'],
      { limitSeconds: 20 },
    )
    assert.match(stderr, /Offset out of range/i)
  })
})

function sum(members: readonly GroupMember[]): number {
  return members.reduce((total, { partitions }) => total + partitions, 0)
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 40_000; !condition(); await sleep(50)) {
    if (performance.now() > deadline) assert.fail(`not within 40 s: ${what}`)
  }
}

interface Committed {
  readonly group: string
  readonly topic: string
  /** Of all partitions together. */
  readonly records: number
}

async function untilCommitted(bootstrap: string, { group, topic, records }: Committed): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    for (const deadline = performance.now() + 40_000; ; await sleep(100)) {
      const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      const offsets = committed?.partitions.map(({ offset }) => Math.max(Number(offset), 0)) ?? []
      if (offsets.reduce((total, offset) => total + offset, 0) === records) return
      if (performance.now() > deadline) assert.fail(`not within 40 s: ${records} records committed, but ${offsets.join(', ')}`)
    }
  } finally {
    await admin.disconnect()
  }
}

class GroupMember {
  readonly received: string[] = []
  partitions = 0
  readonly #process: ChildProcess

  constructor(bootstrap: string, group: string, topic: string) {
    const settings = [
      'session.timeout.ms=6000',
      'heartbeat.interval.ms=300',
      'auto.offset.reset=earliest',
      'partition.assignment.strategy=range',
    ]
    const child = spawn('kcat', ['-b', bootstrap, '-u', ...settings.flatMap((setting) => ['-X', setting]), '-G', group, topic])
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.received.push(...lines(text)))
    // By lines: a chunk may end in the middle of one.
    createInterface({ input: child.stderr }).on('line', (line) => {
      const [, kind, list = ''] = /rebalanced \(memberid [^)]*\): (assigned|revoked)(?:: (.*))?/.exec(line) ?? []
      if (kind !== undefined) this.partitions = kind === 'assigned' ? (list.match(/\[\d+\]/g) ?? []).length : 0
    })
    this.#process = child
  }

  crash(): void {
    this.#process.kill('SIGKILL')
  }

  async leave(): Promise<void> {
    const exited = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGINT')
    await exited
  }
}
