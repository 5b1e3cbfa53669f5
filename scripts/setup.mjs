// Makes a fresh clone ready: installs what package-lock.json names unless that is done, and checks that a Node that can
// run TypeScript is there. Plain JavaScript, since it runs under whatever Node the machine brought.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const wanted = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex')
const stamp = join(root, 'node_modules', '.longtail-setup')
const isInstalled = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted

if (!isInstalled) {
  console.error('longtail: installing dependencies (once)')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(stamp, wanted)
}

const bundled = join(root, 'node_modules', '.bin', 'node')
const { stdout } = spawnSync(existsSync(bundled) ? bundled : process.execPath, ['--version'], { encoding: 'utf8' })
const major = Number(/^v(\d+)/.exec(stdout ?? '')?.[1])
if (!(major >= 24)) {
  console.error(`longtail: needs Node 24 or newer, and found ${stdout?.trim() || process.version}; on Linux it comes with npm, elsewhere install it`)
  process.exit(1)
}
