import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { apis } from '../../broker/protocol/apis.ts'
import { protocolDocument, protocolPage } from '../../scripts/docs.ts'

describe('docs/protocol.md', () => {
  test('is what npm run docs makes of the declarations', () => {
    assert.ok(readFileSync(protocolDocument, 'utf8') === protocolPage(), 'stale: npm run docs')
  })

  test('has a row for every API, with its key and versions', () => {
    const page = protocolPage()
    for (const { name, key, versions: { start, end } } of apis) {
      assert.ok(page.includes(`| ${name} | ${key} | ${start === end ? start : `${start}–${end}`} |`), name)
    }
  })
})
