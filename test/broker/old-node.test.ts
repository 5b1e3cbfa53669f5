import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../bin/longtail.js', import.meta.url))

/** As an older Node would see itself, and without what it does not have. */
const asNode20 = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  Object.defineProperty(process, 'version', { value: 'v20.19.0' })
  const source = 'export const builtinModules = []'
  registerHooks({
    resolve: (name, context, next) => (name === 'node:module' ? { url: 'old:module', shortCircuit: true } : next(name, context)),
    load: (url, context, next) => (url === 'old:module' ? { format: 'module', source, shortCircuit: true } : next(url, context)),
  })
`)}`

test('under a Node that is too old, the process says which one it needs', () => {
  const { status, stderr } = spawnSync(process.execPath, ['--import', asNode20, main], { encoding: 'utf8' })
  assert.match(stderr, /^longtail: needs Node 24 or newer, and this is v20\.19\.0: /)
  assert.equal(stderr.trim().split('\n').length, 1, 'and nothing else')
  assert.equal(status, 1)
})
