import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A directory of the test's own, removed once the file's tests (or those of the suite it is made in) are over. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'longtail-'))
  after(() => rmSync(path, { recursive: true, force: true }))
  return path
}
