import { strict as assert } from 'node:assert'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type CommitResult, TableError, type Write } from '../../broker/table/table.ts'
import { fitsBehind, Manifest } from '../../broker/tier/manifest.ts'
import type { ManifestHead } from '../../broker/tier/manifest-items.ts'
import { advanceLogStart, retireRows } from '../../broker/tier/retirement.ts'
import { segmentFromJson, segmentToJson, type TieredSegment } from '../../broker/tier/tiered-segment.ts'
import { MemoryTable } from '../support/memory-table.ts'

const id = { topicId: 'T'.repeat(22), partition: 0 }

function manifestOn(table: MemoryTable): Manifest {
  return new Manifest({ table, id, rowsMax: 4, attemptsMax: 5 })
}

let uuids = 0

function segment(baseOffset: number, endOffset: number, fields: Partial<TieredSegment> = {}): TieredSegment {
  const uuid = String(uuids++).padStart(22, '0')
  return {
    key: `v1/c/0000/${id.topicId}/0/x-${uuid}`, baseOffset, endOffset, epoch: 1, generation: 0,
    bytes: 20, batchesBytes: 10, batchCount: 1,
    recordCount: 1, maxTimestamp: 5, maxTimestampSoFar: 5, sealedAt: 1, crc32c: 2, formatVersion: 1,
    sections: [{ kind: 'offsets', position: 10, length: 16, crc32c: 3 }], ...fields,
  }
}

async function upload(manifest: Manifest, made: TieredSegment): Promise<boolean> {
  const { key, baseOffset, endOffset, epoch } = made
  await manifest.begin({ uuid: key.slice(-22), key, baseOffset, endOffset, epoch, startedAt: 1 })
  return manifest.commit(made)
}

suite('the manifest', () => {
  test('a row reads back as it was written, and anything else is refused', () => {
    const made = segment(5, 9)
    assert.deepEqual(segmentFromJson(segmentToJson(made)), made)
    const row = segmentToJson(made) as object
    const broken = [
      null, 5, 'x', [], {}, { ...row, key: 5 }, { ...row, endOffset: 5 },
      { ...row, bytes: 9 }, { ...row, bytes: -1 }, { ...row, sections: [['x', 1, 1, 1]] },
      { ...row, maxTimestamp: 1.5 }, { ...row, sections: [['offsets', -1, 1, 1]] },
    ]
    for (const value of broken) assert.throws(() => segmentFromJson(value), { code: 'damaged' }, JSON.stringify(value))
  })

  test('rows have neither gaps nor overlaps, whatever is committed by whom and in what order', async () => {
    const attempts = fc.array(fc.record({
      writer: fc.nat(1), base: fc.nat(12), length: fc.integer({ min: 1, max: 6 }), start: fc.option(fc.nat(15)),
    }), { maxLength: 40 })
    await fc.assert(fc.asyncProperty(attempts, async (list) => {
      const table = new MemoryTable()
      const writers = [manifestOn(table), manifestOn(table)]
      for (const writer of writers) await writer.claim(1, 0)
      for (const { writer, base, length, start } of list) {
        await upload(writers[writer]!, segment(base, base + length))
        if (start !== null) await advanceLogStart(writers[1 - writer]!, start)
      }
      const head = (await manifestOn(table).refresh())!
      const rows = (await table.query(`tier/${id.topicId}/0`, { prefix: 'segment/' })).map(({ value }) => segmentFromJson(value))
      rows.forEach((row, index) => {
        const before = rows[index - 1]
        if (before === undefined || row.baseOffset === before.endOffset) return
        assert.ok(row.baseOffset > before.endOffset && row.baseOffset <= head.logStart)
      })
      assert.equal(head.tieredEnd, rows.at(-1)?.endOffset ?? 0)
      assert.deepEqual([head.segments, head.bytes], [rows.length, 10 * rows.length])
      // Every offset that is served and in the tier is in exactly one row.
      for (let offset = head.logStart; offset < head.tieredEnd; offset++) {
        assert.equal(rows.filter((row) => row.baseOffset <= offset && offset < row.endOffset).length, 1, `offset ${offset}`)
      }
    }))
  })

  test('a deposed leader can neither begin nor commit, and an older one cannot claim', async () => {
    const table = new MemoryTable()
    const [old, next] = [manifestOn(table), manifestOn(table)]
    await old.claim(1, 0)
    const begun = segment(0, 5)
    await old.begin({ uuid: begun.key.slice(-22), key: begun.key, baseOffset: 0, endOffset: 5, epoch: 1, startedAt: 1 })
    await next.claim(2, 0)
    await assert.rejects(old.commit(begun), { code: 'fenced' })
    await assert.rejects(upload(old, segment(0, 5)), { code: 'fenced' })
    await assert.rejects(advanceLogStart(old, 3), { code: 'fenced' })
    await assert.rejects(manifestOn(table).claim(1, 0), { code: 'fenced' })
    assert.equal(await upload(next, segment(0, 5, { epoch: 2 })), true)
  })

  test('a commit without its intent is refused', async () => {
    const manifest = manifestOn(new MemoryTable())
    await manifest.claim(1, 0)
    assert.equal(await manifest.commit(segment(0, 5)), false)
    assert.equal(manifest.head?.tieredEnd, 0)
  })

  test('after a lost answer the head is read before it is used, and the commit is not repeated', async () => {
    class Forgetful extends MemoryTable {
      loses = false
      override async commit(writes: readonly Write[]): Promise<CommitResult> {
        const result = await super.commit(writes)
        if (this.loses) throw new TableError('unknown', 'lost')
        return result
      }
    }
    const table = new Forgetful()
    const manifest = manifestOn(table)
    await manifest.claim(1, 0)
    const made = segment(0, 5)
    await manifest.begin({ uuid: made.key.slice(-22), key: made.key, baseOffset: 0, endOffset: 5, epoch: 1, startedAt: 1 })
    table.loses = true
    await assert.rejects(manifest.commit(made), { code: 'away' })
    assert.equal(manifest.isCurrent, false)
    table.loses = false
    assert.equal(await manifest.commit(made), false)
    assert.deepEqual([manifest.head?.tieredEnd, manifest.head?.segments], [5, 1])
  })

  test('the row of an offset is found by one look from behind, and known ones without the table', async () => {
    const table = new MemoryTable()
    const manifest = manifestOn(table)
    await manifest.claim(1, 0)
    for (let base = 0; base < 100; base += 10) await upload(manifest, segment(base, base + 10))
    const fresh = manifestOn(table)
    for (const offset of [0, 9, 10, 55, 99]) assert.equal((await fresh.find(offset))?.baseOffset, 10 * Math.floor(offset / 10))
    assert.equal(await fresh.find(100), undefined)
    assert.equal((await fresh.floor(1000))?.baseOffset, 90)
    await table.close()
    assert.equal((await fresh.find(57))?.baseOffset, 50)
    await assert.rejects(fresh.find(35), { code: 'away' })
  })

  test('retired rows leave the sums once, also when two retire at the same time', async () => {
    const table = new MemoryTable()
    const [one, other] = [manifestOn(table), manifestOn(table)]
    await one.claim(1, 0)
    for (let base = 0; base < 50; base += 10) await upload(one, segment(base, base + 10))
    await advanceLogStart(one, 35)
    await other.refresh()
    await Promise.all([retireRows(one, 1), retireRows(other, 1)])
    const head = (await one.refresh())!
    assert.deepEqual([head.segments, head.bytes], [2, 20])
    assert.equal((await one.retired()).length, 3)
  })

  test('what may follow is what begins at the end, or within what the log\'s start has overtaken', () => {
    const head: ManifestHead = { epoch: 1, logStart: 0, tieredEnd: 10, generation: 0, bytes: 0, segments: 0, maxTimestamp: -1 }
    const cases: [logStart: number, base: number, end: number, fits: boolean][] = [
      [0, 10, 20, true], [0, 9, 20, false], [0, 11, 20, false], [0, 10, 10, false],
      [15, 12, 20, true], [15, 15, 20, true], [15, 16, 20, false], [15, 5, 20, false],
    ]
    for (const [logStart, baseOffset, endOffset, fits] of cases) {
      const segmentFits = fitsBehind({ ...head, logStart }, { baseOffset, endOffset })
      assert.equal(segmentFits, fits, `${baseOffset}-${endOffset} from ${logStart}`)
    }
  })
})
