import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { noPages, pageCharactersMax, pageMembersMax, planPages, storedMember, type StoredMember } from '../../broker/coordinator/member-pages.ts'

const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 80 }), fc.option(fc.integer({ min: 1, max: 60_000 }))), { maxLength: 60 })

test('what is written is what is there, page by page, and pages that nothing changed on stay', () => {
  fc.assert(fc.property(fc.array(changes, { maxLength: 8 }), (rounds) => {
    const expected = new Map<string, StoredMember>()
    const table = new Map<string, unknown>()
    let pages = noPages
    for (const round of rounds) {
      const given = new Map<string, StoredMember | undefined>()
      for (const [index, length] of round) {
        const memberId = `member-${index}`
        const member = length === null ? undefined : storedMember({ memberId, text: 'x'.repeat(length) }, [])
        given.set(memberId, member)
        if (member === undefined) expected.delete(memberId)
        else expected.set(memberId, member)
      }
      const plan = planPages(pages, given)
      for (const { sort, value } of plan.puts) {
        assert.ok(!table.has(sort), 'no page is ever changed')
        table.set(sort, value)
      }
      for (const sort of plan.deletes) assert.ok(table.delete(sort), 'only what is there is deleted')
      pages = plan.next
      assert.deepEqual(new Set(table.keys()), new Set(pages.pages.keys()))
      const found = [...table.values()].flat() as { memberId: string }[]
      assert.equal(found.length, expected.size)
      for (const item of found) assert.deepEqual(item, expected.get(item.memberId)?.item)
      for (const { members, characters } of pages.pages.values()) {
        assert.ok(members.size > 0 && members.size <= pageMembersMax)
        assert.ok(characters <= pageCharactersMax || members.size === 1)
      }
    }
  }), { numRuns: 200 })
})

test('a change of one member of a thousand writes one page', () => {
  const all = new Map(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, storedMember({ memberId: `m${index}`, epoch: 1 }, [])]))
  const { next, puts } = planPages(noPages, all)
  assert.ok(puts.length <= 1_000 / pageMembersMax + 1)
  const plan = planPages(next, new Map([['m500', storedMember({ memberId: 'm500', epoch: 2 }, [])]]))
  assert.deepEqual([plan.puts.length, plan.deletes.length], [1, 1])
})
