import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { CommittedView } from '../support/committed-records.ts'
import { recordBatch } from '../support/record-batches.ts'

const [transactional, control] = [0x10, 0x20]

function batch(offset: number, producerId: number, of: { readonly key?: Buffer; readonly value: string; readonly attributes: number }): RecordBatch {
  const bytes = recordBatch([{ key: of.key ?? null, value: Buffer.from(of.value) }], { producerId, producerEpoch: 0, baseSequence: 0 })
  const made = new RecordBatch(bytes)
  made.stamp(offset, 0)
  bytes.writeInt16BE(of.attributes, 21)
  // The checksum covers the attributes, and is made anew with the time.
  made.stampAppendTime(1_700_000_000_000)
  return made
}

const data = (offset: number, producerId: number, value: string) => batch(offset, producerId, { value, attributes: transactional })
const marker = (offset: number, producerId: number, kind: 'abort' | 'commit') =>
  batch(offset, producerId, { key: Buffer.of(0, 0, 0, kind === 'commit' ? 1 : 0), value: '', attributes: transactional | control })

const log = [data(0, 7, 'aborted'), data(1, 8, 'committed'), marker(2, 7, 'abort'), marker(3, 8, 'commit'), data(4, 7, 'later'), marker(5, 7, 'commit')]

function read(aborted: readonly { readonly producerId: number; readonly firstOffset: number }[], batches = log) {
  const view = new CommittedView()
  view.add(batches, aborted)
  const { records, disputed } = view.finish()
  return { values: records.map(({ value }) => `${value}`), disputed }
}

test('a read_committed reading leaves out what is listed as aborted, up to its marker', () => {
  assert.deepEqual(read([{ producerId: 7, firstOffset: 0 }]), { values: ['committed', 'later'], disputed: [] })
})

test('an aborted transaction that is not listed is disputed', () => {
  assert.deepEqual(read([]).disputed, [0])
})

test('a committed transaction that is listed is disputed', () => {
  assert.deepEqual(read([{ producerId: 7, firstOffset: 0 }, { producerId: 8, firstOffset: 1 }]).disputed, [1])
})

test('a transaction without a marker below the stable end is disputed', () => {
  assert.deepEqual(read([{ producerId: 7, firstOffset: 0 }], log.slice(0, -1)).disputed, [4])
})

test('a transaction whose marker comes behind the stable end, since another one is open, is not disputed where they agree', () => {
  const open = [data(0, 7, 'aborted'), data(1, 8, 'committed'), data(2, 9, 'aborted too')]
  for (const [kind, disputed] of [['commit', []], ['abort', [1]]] as const) {
    const view = new CommittedView()
    view.add(open, [{ producerId: 7, firstOffset: 0 }, { producerId: 9, firstOffset: 2 }])
    assert.ok(view.hasOpen)
    view.addBehind([data(3, 6, 'open'), marker(4, 9, 'abort'), marker(5, 8, kind), data(6, 8, 'later'), marker(7, 8, 'commit'), marker(8, 7, 'abort')])
    assert.ok(!view.hasOpen)
    assert.deepEqual(view.finish().disputed, disputed)
  }
})

test('a transaction without a marker anywhere is disputed where it was taken for committed', () => {
  const view = new CommittedView()
  view.add([data(0, 8, 'nobody ended it')], [])
  view.addBehind([data(1, 9, 'open')])
  assert.deepEqual(view.finish().disputed, [0])
})
