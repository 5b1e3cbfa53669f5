import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MetadataLog } from '../../broker/cluster/metadata-log.ts'
import type { MetadataRecord } from '../../broker/cluster/metadata-record.ts'
import { newPartition } from '../../broker/cluster/placement.ts'
import type { CommitResult, Table, Write } from '../../broker/table/table.ts'
import { MemoryTable } from '../support/memory-table.ts'

const open = (table: Table, itemsPerSnapshot = 5, itemCharactersMax = 4_000) =>
  MetadataLog.open({ table, itemCharactersMax, attemptsMax: 50, itemsPerSnapshot })

const registered = (brokerId: number): MetadataRecord =>
  ({ type: 'brokerRegistered', brokerId, incarnation: `i${brokerId}`, diskId: 'd', host: 'h', port: 1, rack: null })

function created(name: string): MetadataRecord[] {
  return [
    { type: 'topicCreated', topicId: `id-${name}`, name }, newPartition(`id-${name}`, 0, [1]), newPartition(`id-${name}`, 1, [1]),
    { type: 'configChanged', resource: { kind: 'topic', name }, changes: [['retention.ms', '5']] },
  ]
}

const append = (log: MetadataLog, records: readonly MetadataRecord[]) => log.change(() => ({ records, answer: undefined }))

async function logged(table: Table): Promise<number[]> {
  return (await table.query('metadata')).map(({ sort }) => Number(sort))
}

test('the log begins at its floor, and whoever opens it holds the same image', async () => {
  const table = new MemoryTable()
  const log = await open(table)
  await append(log, [registered(1)])
  await append(log, [{ type: 'brokerFenced', brokerId: 1, brokerEpoch: 1 }])
  for (let index = 0; index < 20; index++) await append(log, created(`topic-${index}`))
  await append(log, [{ type: 'topicDeleted', topicId: 'id-topic-3' }])
  const { sequence } = log.image
  for (let looks = 0; looks < 3; looks++) await log.tidy()
  assert.deepEqual(await logged(table), [sequence], 'the item of the floor stays, for those who are behind')
  assert.deepEqual((await open(table)).image, log.image)
  await append(log, created('later'))
  assert.deepEqual((await open(table)).image, log.image)
})

test('whoever is behind the floor goes on from the snapshot, and hears of it', async () => {
  const table = new MemoryTable()
  const [log, other] = [await open(table), await open(table)]
  const heard: number[] = []
  other.onChange((image) => heard.push(image.sequence))
  for (let index = 0; index < 40; index++) await append(log, created(`topic-${index}`))
  await log.tidy()
  await append(log, created('later'))
  await other.refresh()
  assert.deepEqual(other.image, log.image)
  assert.ok(heard.length < 5 && heard.at(-1) === log.image.sequence, `${heard}`)
})

test('nothing is done before enough has come behind the floor', async () => {
  const table = new MemoryTable()
  const log = await open(table, 100)
  for (let index = 0; index < 20; index++) await append(log, created(`topic-${index}`))
  await log.tidy()
  assert.equal((await logged(table)).length, log.image.sequence)
})

/** A table on which one commit is held back until it is let go. */
class Held implements Table {
  readonly #table: Table
  isHolding = false
  #held: (() => void) | undefined

  constructor(table: Table) {
    this.#table = table
  }

  letGo(): void {
    this.#held?.()
  }

  get: Table['get'] = (key) => this.#table.get(key)
  query: Table['query'] = (partition, range) => this.#table.query(partition, range)
  close: Table['close'] = async () => {}

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    if (this.isHolding) {
      this.isHolding = false
      await new Promise<void>((resolve) => (this.#held = resolve))
    }
    return this.#table.commit(writes)
  }
}

test('an append that lands late does not take the place of an item that was deleted', async () => {
  const table = new MemoryTable()
  const held = new Held(table)
  const [log, slow] = [await open(table), await open(held)]
  held.isHolding = true
  const late = slow.change((image) => ({ records: created(`late-${image.topics.size}`), answer: image.sequence }))
  await new Promise((resolve) => setImmediate(resolve))
  for (let index = 0; index < 40; index++) await append(log, created(`topic-${index}`))
  await log.tidy()
  held.letGo()
  assert.ok((await late) >= 40, 'it was decided anew, on what is there now')
  await log.refresh()
  assert.deepEqual(log.image, slow.image)
  assert.ok(log.image.topicIds.has('late-40'))
})

test('two that tidy at once, and one that is cut short, leave a log that can be read', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 60 }), fc.nat(40), async (steps, cutAt) => {
    const table = new MemoryTable()
    let left = cutAt
    const failing: Table = {
      get: (key) => table.get(key), query: (partition, range) => table.query(partition, range), close: async () => {},
      commit: (writes) => (left-- > 0 ? table.commit(writes) : Promise.reject(new Error('cut short'))),
    }
    const [log, other, doomed] = [await open(table), await open(table), await open(failing)]
    let names = 0
    for (const step of steps) {
      if (step === 0) await Promise.all([log.tidy(), other.tidy()])
      else if (step === 1) await other.refresh()
      else if (step === 2) await doomed.refresh().then(() => doomed.tidy()).catch(() => {})
      else await append(log, created(`topic-${names++}`))
    }
    await log.refresh()
    assert.equal(log.image.topics.size, names)
    const reader = await open(table)
    assert.deepEqual(reader.image, log.image)
  }), { numRuns: 60 })
})
