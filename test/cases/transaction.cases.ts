// What transactions must do for every client library, whatever it is written in: stated once, for a program of each
// (test/interop/agent.ts), which has one transactional producer, or one reader, in a process of its own.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { committedOffset } from '../support/committed-offset.ts'
import { endsOf } from '../support/committed-records.ts'
import type { TestBroker } from '../support/test-broker.ts'
import type { ReceivedRecord, SentRecord } from './client.cases.ts'

export interface TransactionalProducer {
  begin(): Promise<void>
  /** Returns when each record is acknowledged. */
  send(topic: string, records: readonly Pick<SentRecord, 'partition' | 'value'>[]): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  /** At once, without a word to the broker. */
  crash(): void
  close(): Promise<void>
}

export interface Transform {
  readonly from: string
  readonly to: string
  readonly group: string
  readonly transactionalId: string
  /** So many records are taken from `from` and put to `to` in one transaction, with the group's offsets. */
  readonly count: number
  readonly end: 'commit' | 'abort'
}

export interface Reader {
  readonly received: readonly ReceivedRecord[]
  close(): Promise<void>
}

/** The client of one library. */
export interface TransactionalLibrary {
  createTopic(topic: string, partitions: number): Promise<void>
  /** Fences whoever had the id before; what it left open is aborted. */
  open(transactionalId: string, options?: { readonly timeoutMs?: number }): Promise<TransactionalProducer>
  read(topic: string, isolation: 'read_committed' | 'read_uncommitted'): Promise<Reader>
  transform(transform: Transform): Promise<void>
  /** How it tells that its producer was fenced. */
  readonly fenced: RegExp
  close(): Promise<void>
}

export interface TransactionCases {
  readonly broker: TestBroker
  readonly open: (bootstrap: string) => TransactionalLibrary
  /** For a client whose producer has been through all of them: what concerns groups alone. */
  readonly isOnlyOfGroups?: boolean
}

const partitions = 2
const unique = (prefix: string) => `${prefix}-${randomUUID()}`

async function until(what: () => string, isTrue: () => boolean, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!isTrue()) {
    if (performance.now() > deadline) assert.fail(`not within ${withinMs} ms: ${what()}`)
    await sleep(20)
  }
}

/** One record for each partition, so that a transaction always has to be whole over several. */
function toAll(...values: readonly string[]): { partition: number; value: string }[] {
  return values.flatMap((value) => Array.from({ length: partitions }, (_, partition) => ({ partition, value: `${value}@${partition}` })))
}

function valuesIn(reader: Reader): string[] {
  return reader.received.map(({ value }) => `${value}`)
}

/** In the order of each partition. */
function expected(...values: readonly string[]): string[][] {
  return Array.from({ length: partitions }, (_, partition) => values.map((value) => `${value}@${partition}`))
}

function inPartitions(reader: Reader): string[][] {
  return Array.from({ length: partitions }, (_, of) => reader.received.filter(({ partition }) => partition === of).map(({ value }) => `${value}`))
}

async function assertReads(reader: Reader, ...values: readonly string[]): Promise<void> {
  await until(() => `${values.join(', ')} in all partitions; there was ${valuesIn(reader).join(', ')}`, () => reader.received.length >= values.length * partitions)
  assert.deepEqual(inPartitions(reader), expected(...values))
}

interface Scene {
  readonly library: TransactionalLibrary
  readonly broker: TestBroker
  readonly topic: string
  /** Sees what is committed. */
  readonly reader: Reader
  open(transactionalId: string, options?: { readonly timeoutMs?: number }): Promise<TransactionalProducer>
}

async function inScene({ broker, open }: TransactionCases, play: (scene: Scene) => Promise<void>): Promise<void> {
  const library = open(broker.bootstrap)
  const topic = unique('transactions')
  const opened: { close(): Promise<void> }[] = []
  const closing = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.push(one)
    return one
  }
  try {
    await library.createTopic(topic, partitions)
    const reader = closing(await library.read(topic, 'read_committed'))
    await play({ library, broker, topic, reader, open: async (id, options) => closing(await library.open(id, options)) })
  } finally {
    await Promise.all(opened.map((one) => one.close()))
    await library.close()
  }
}

export function transactionCases(cases: TransactionCases): void {
  const scene = (play: (scene: Scene) => Promise<void>) => () => inScene(cases, play)
  test('carry offsets, which count with them or not at all', scene(transforming))
  if (cases.isOnlyOfGroups) return
  test('are seen as a whole when they are committed, and not before', scene(committing))
  test('are not seen when they are aborted, whatever else goes on in the partition', scene(aborting))
  test('end a zombie with the same id', scene(fencing))
  test('of a crashed producer are aborted by the next one', scene(succeeding))
  test('of a crashed producer without a successor are aborted when their time is over', scene(timingOut))
  test(
    'go on where the broker was killed and is back',
    { skip: cases.broker.canRestart ? false : 'the broker is not ours to kill' },
    scene(goingOn),
  )
}

async function committing({ topic, reader, open, library }: Scene): Promise<void> {
  const uncommitted = await library.read(topic, 'read_uncommitted')
  try {
    const producer = await open(unique('id'))
    for (const name of ['first', 'second']) {
      const before = reader.received.length
      await producer.begin()
      await producer.send(topic, toAll(`${name} a`))
      await producer.send(topic, toAll(`${name} b`))
      await until(() => `${name}, uncommitted`, () => valuesIn(uncommitted).filter((value) => value.startsWith(name)).length === 2 * partitions)
      await sleep(300)
      assert.equal(reader.received.length, before, 'nothing of an open transaction is seen')
      await producer.commit()
      await until(() => `${name}, committed`, () => reader.received.length === before + 2 * partitions)
    }
    assert.deepEqual(inPartitions(reader), expected('first a', 'first b', 'second a', 'second b'))
  } finally {
    await uncommitted.close()
  }
}

async function aborting({ topic, reader, open }: Scene): Promise<void> {
  const [one, other] = [await open(unique('one')), await open(unique('other'))]
  await one.begin()
  await one.send(topic, toAll('aborted 1'))
  await other.begin()
  await other.send(topic, toAll('committed 1'))
  await one.send(topic, toAll('aborted 2'))
  await one.abort()
  await one.begin()
  await one.send(topic, toAll('committed 2'))
  await other.commit()
  await one.commit()
  await other.begin()
  await other.send(topic, toAll('aborted 3'))
  await other.abort()
  await other.begin()
  await other.send(topic, toAll('committed 3'))
  await other.commit()
  await assertReads(reader, 'committed 1', 'committed 2', 'committed 3')
}

async function transforming({ topic, reader, open, library, broker }: Scene): Promise<void> {
  const from = unique('input')
  const [group, transactionalId] = [unique('group'), unique('transform')]
  await library.createTopic(from, 1)
  const source = await open(unique('source'))
  await source.begin()
  await source.send(from, [0, 1, 2, 3].map((number) => ({ partition: 0, value: String(number) })))
  await source.commit()
  const transform = (count: number, end: Transform['end']) => library.transform({ from, to: topic, group, transactionalId, count, end })
  const offset = () => committedOffset(broker.bootstrap, { group, topic: from, partition: 0 })
  await transform(2, 'abort')
  assert.equal(await offset(), -1)
  await transform(3, 'commit')
  assert.equal(await offset(), 3)
  await transform(1, 'commit')
  // Behind the last record comes the marker of the transaction that wrote it, which some clients skip and others do not.
  assert.ok([4, 5].includes(await offset()))
  const values = () => valuesIn(reader).toSorted()
  await until(() => 'what was transformed', () => values().length >= 4)
  assert.deepEqual(values(), ['0', '1', '2', '3'].map((number) => `${number} transformed`))
}

async function fencing({ topic, reader, open, library }: Scene): Promise<void> {
  const id = unique('id')
  const zombie = await open(id)
  await zombie.begin()
  await zombie.send(topic, toAll('of the zombie'))
  const successor = await open(id)
  await successor.begin()
  await successor.send(topic, toAll('of the successor'))
  await assert.rejects(async () => {
    await zombie.send(topic, toAll('late'))
    await zombie.commit()
  }, library.fenced)
  await successor.commit()
  await assertReads(reader, 'of the successor')
}

async function succeeding({ topic, reader, open }: Scene): Promise<void> {
  const id = unique('id')
  const crashing = await open(id, { timeoutMs: 60_000 })
  await crashing.begin()
  await crashing.send(topic, toAll('of the crashed'))
  crashing.crash()
  const successor = await open(id)
  await successor.begin()
  await successor.send(topic, toAll('of the successor'))
  await successor.commit()
  await assertReads(reader, 'of the successor')
}

async function timingOut({ topic, reader, open, broker }: Scene): Promise<void> {
  const timeoutMs = 2000
  const crashing = await open(unique('crashing'), { timeoutMs })
  await crashing.begin()
  await crashing.send(topic, toAll('of the crashed'))
  crashing.crash()
  const other = await open(unique('other'))
  await other.begin()
  await other.send(topic, toAll('behind it'))
  await other.commit()
  const deadline = performance.now() + timeoutMs + 10_000
  for (let partition = 0; partition < partitions; partition++) {
    for (;;) {
      const { lastStable, high } = await endsOf(broker.bootstrap, { topic, partition })
      if (lastStable === high) break
      assert.ok(performance.now() < deadline, `partition ${partition} is stable to ${lastStable} of ${high} only`)
      await sleep(100)
    }
  }
  await assertReads(reader, 'behind it')
}

async function goingOn({ topic, reader, open, broker }: Scene): Promise<void> {
  const producer = await open(unique('id'))
  await producer.begin()
  await producer.send(topic, toAll('before'))
  await broker.restart('SIGKILL')
  await producer.send(topic, toAll('after'))
  await producer.commit()
  await assertReads(reader, 'before', 'after')
}
