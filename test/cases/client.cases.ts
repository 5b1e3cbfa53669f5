// What every client library must be able to do with a broker, whatever the library: the cases are stated once, and each
// library brings an adapter (test/clients/*-client.ts).

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestBroker } from '../support/test-broker.ts'

export interface SentRecord {
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly timestamp?: number
}

export interface ReceivedRecord extends SentRecord {
  readonly offset: number
  readonly timestamp: number
  readonly headers: Readonly<Record<string, string>>
}

export interface Member {
  /** Of the topic that it joined for; undefined while it has no assignment. */
  readonly partitions: readonly number[] | undefined
  leave(): Promise<void>
}

/** A member in a process of its own, so that it can crash as processes do: no goodbye, no last commit. */
export interface CrashingMember {
  readonly partitions: readonly number[] | undefined
  crash(): void
}

export interface MemberOptions {
  readonly group: string
  readonly topic: string
  readonly onRecord: (record: ReceivedRecord) => void
  readonly sessionTimeoutMs?: number
}

/** One library with its clients, all on one broker. */
export interface ClientLibrary {
  readonly compressions: readonly string[]
  createTopic(topic: string, partitions: number): Promise<void>
  produce(
    topic: string,
    records: readonly SentRecord[],
    options?: { compression?: string; isIdempotent?: boolean },
  ): Promise<void>
  /** Reads `count` records of one partition from an offset on. */
  readFrom(topic: string, from: { partition: number; offset: number; count: number }): Promise<ReceivedRecord[]>
  /** The first offset at or behind the time in each partition. */
  offsetsForTime(topic: string, timestamp: number): Promise<Map<number, number>>
  /** Joins a group, and reads from what the group committed or else from the beginning. It commits nothing itself. */
  join(options: MemberOptions): Promise<Member>
  commit(member: Member, topic: string, offsets: ReadonlyMap<number, number>): Promise<void>
  close(): Promise<void>
}

export interface ClientCases {
  readonly broker: TestBroker
  readonly open: (bootstrap: string) => ClientLibrary
  readonly joinToCrash: (bootstrap: string, options: MemberOptions) => Promise<CrashingMember>
}

const unique = (prefix: string) => `${prefix}-${randomUUID()}`

async function until(what: string, condition: () => boolean, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
}

/** Every partition belongs to exactly one of the members, and none has more than one above another. */
function isBalanced(members: readonly { readonly partitions: readonly number[] | undefined }[], partitions: number): boolean {
  const held = members.flatMap((member) => member.partitions ?? [])
  const counts = members.map((member) => member.partitions?.length ?? 0)
  return held.length === partitions && new Set(held).size === partitions && Math.max(...counts) - Math.min(...counts) <= 1
}

export function clientCases(options: ClientCases): void {
  const withLibrary = (body: (library: ClientLibrary) => Promise<void>) => async () => {
    const library = options.open(options.broker.bootstrap)
    try {
      await body(library)
    } finally {
      await library.close()
    }
  }
  describe('records', () => {
    test('with every compression come back as they were', withLibrary(everyCompression))
    test('of an idempotent producer with many requests in flight are there once and in order', withLibrary(idempotence))
    test('are read from an offset, and from a time', withLibrary(seeking))
  })
  describe('a group', () => {
    test(
      'shares the partitions among members that join, leave and crash, and misses nothing',
      withLibrary((library) => rebalances(library, options)),
    )
    test('goes on where it committed', withLibrary(resuming))
    test(
      'goes on where it committed when the broker was killed and is back',
      { skip: options.broker.canRestart ? false : 'the broker is not ours to kill' },
      () => resumingAfterKill(options),
    )
  })
}

async function everyCompression(library: ClientLibrary): Promise<void> {
  const topic = unique('compressions')
  await library.createTopic(topic, 1)
  const sent: SentRecord[] = []
  for (const compression of library.compressions) {
    const records = Array.from({ length: 50 }, (_, index): SentRecord => ({
      partition: 0,
      key: index % 5 === 0 ? null : `${compression} ${index}`,
      value: index % 7 === 0 ? null : `${index} `.repeat(index * 10),
      headers: index % 3 === 0 ? {} : { compression, ünïcode: '☃' },
      timestamp: 1_700_000_000_000 + index,
    }))
    await library.produce(topic, records, { compression })
    sent.push(...records)
  }
  const received = await library.readFrom(topic, { partition: 0, offset: 0, count: sent.length })
  assert.deepEqual(
    received.map(({ offset: _, ...rest }) => rest),
    sent,
  )
  assert.deepEqual(
    received.map(({ offset }) => offset),
    sent.map((_, index) => index),
  )
}

async function idempotence(library: ClientLibrary): Promise<void> {
  const topic = unique('idempotent')
  await library.createTopic(topic, 2)
  const values = Array.from({ length: 400 }, (_, index) => String(index))
  for (let start = 0; start < values.length; start += 20) {
    const batch = values.slice(start, start + 20)
    await Promise.all(
      [0, 1].map((partition) =>
        library.produce(
          topic,
          batch.map((value) => ({ partition, key: null, value })),
          { isIdempotent: true },
        ),
      ),
    )
  }
  for (const partition of [0, 1]) {
    const received = await library.readFrom(topic, { partition, offset: 0, count: values.length })
    assert.deepEqual(
      received.map(({ value }) => value),
      values,
    )
  }
}

async function seeking(library: ClientLibrary): Promise<void> {
  const topic = unique('seeking')
  await library.createTopic(topic, 2)
  const start = Date.now() - 3_600_000
  for (const partition of [0, 1]) {
    for (let batch = 0; batch < 5; batch++) {
      await library.produce(
        topic,
        Array.from({ length: 20 }, (_, index) => {
          const number = batch * 20 + index
          return { partition, key: null, value: `${partition}/${number}`, timestamp: start + number * 1000 }
        }),
      )
    }
  }
  const fromOffset = await library.readFrom(topic, { partition: 1, offset: 73, count: 27 })
  assert.deepEqual(
    fromOffset.map(({ value }) => value),
    Array.from({ length: 27 }, (_, index) => `1/${73 + index}`),
  )
  assert.deepEqual(
    await library.offsetsForTime(topic, start + 42_000),
    new Map([
      [0, 42],
      [1, 42],
    ]),
  )
  assert.deepEqual(
    await library.offsetsForTime(topic, start + 42_001),
    new Map([
      [0, 43],
      [1, 43],
    ]),
  )
  assert.deepEqual(
    await library.offsetsForTime(topic, start - 1),
    new Map([
      [0, 0],
      [1, 0],
    ]),
  )
}

const partitions = 6

async function rebalances(library: ClientLibrary, { joinToCrash, broker }: ClientCases): Promise<void> {
  const [topic, group] = [unique('rebalances'), unique('group')]
  await library.createTopic(topic, partitions)
  const received = new Map<string, Set<string>>()
  const note = (who: string) => (record: ReceivedRecord) => {
    received.set(who, (received.get(who) ?? new Set()).add(`${record.value}`))
  }
  const all = () => new Set([...received.values()].flatMap((values) => [...values]))
  let round = 0
  const produceAndReceive = async (what: string) => {
    round++
    const values = Array.from({ length: 60 }, (_, index) => `${round}/${index}`)
    await library.produce(
      topic,
      values.map((value, index) => ({ partition: index % partitions, key: null, value })),
    )
    await until(`all records of round ${round} (${what})`, () => values.every((value) => all().has(value)))
  }
  const open: { leave(): Promise<void> }[] = []
  let third: CrashingMember | undefined
  try {
    const first = await library.join({ group, topic, onRecord: note('first'), sessionTimeoutMs: 6000 })
    open.push(first)
    await until('one member has all partitions', () => isBalanced([first], partitions))
    await produceAndReceive('one member')

    const second = await library.join({ group, topic, onRecord: note('second'), sessionTimeoutMs: 6000 })
    open.push(second)
    await until('two members share', () => isBalanced([first, second], partitions))
    third = await joinToCrash(broker.bootstrap, { group, topic, onRecord: note('third'), sessionTimeoutMs: 6000 })
    await until('three members share', () => isBalanced([first, second, third!], partitions))
    await produceAndReceive('three members')
    for (const who of ['first', 'second', 'third']) assert.ok(received.get(who)?.size, `the ${who} member received something`)

    third.crash()
    await until('two members share what the crashed one had', () => isBalanced([first, second], partitions), 45_000)
    await produceAndReceive('after a crash')

    await second.leave()
    open.pop()
    await until('the one that stays has all partitions', () => isBalanced([first], partitions))
    await produceAndReceive('after one left')
  } finally {
    third?.crash()
    await Promise.all(open.map((member) => member.leave()))
  }
}

/** Has a member read all `count` records, commit 6 of partition 0, and leave. */
async function commitInTheMiddle(
  library: ClientLibrary,
  { topic, group, count }: { topic: string; group: string; count: number },
): Promise<void> {
  const received: number[] = []
  const member = await library.join({ group, topic, onRecord: ({ offset }) => received.push(offset) })
  await until('the first member reads everything', () => received.length >= count)
  await library.commit(member, topic, new Map([[0, 6]]))
  await member.leave()
}

async function assertResumes(
  library: ClientLibrary,
  { topic, group, count }: { topic: string; group: string; count: number },
): Promise<void> {
  const received: number[] = []
  const member = await library.join({ group, topic, onRecord: ({ offset }) => received.push(offset) })
  await until('the next member reads the rest', () => received.length >= count - 6)
  await sleep(200)
  await member.leave()
  assert.deepEqual(
    received,
    Array.from({ length: count - 6 }, (_, index) => 6 + index),
  )
}

async function resuming(library: ClientLibrary): Promise<void> {
  const scene = { topic: unique('resuming'), group: unique('group'), count: 10 }
  await library.createTopic(scene.topic, 1)
  await library.produce(
    scene.topic,
    Array.from({ length: scene.count }, (_, index) => ({ partition: 0, key: null, value: `${index}` })),
  )
  await commitInTheMiddle(library, scene)
  await assertResumes(library, scene)
}

async function resumingAfterKill({ broker, open }: ClientCases): Promise<void> {
  const scene = { topic: unique('killed'), group: unique('group'), count: 10 }
  const before = open(broker.bootstrap)
  await before.createTopic(scene.topic, 1)
  await before.produce(
    scene.topic,
    Array.from({ length: scene.count }, (_, index) => ({ partition: 0, key: null, value: `${index}` })),
  )
  await commitInTheMiddle(before, scene)
  await before.close()
  await broker.restart('SIGKILL')
  const afterwards = open(broker.bootstrap)
  try {
    await assertResumes(afterwards, scene)
    await afterwards.produce(scene.topic, [{ partition: 0, key: null, value: 'behind the restart' }])
    const [last] = await afterwards.readFrom(scene.topic, { partition: 0, offset: scene.count, count: 1 })
    assert.equal(last?.value, 'behind the restart')
  } finally {
    await afterwards.close()
  }
}
