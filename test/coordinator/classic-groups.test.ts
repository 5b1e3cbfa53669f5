import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClassicScript } from './classic-script.ts'
import type { WorldOptions } from './world.ts'

/** The script with its expected trace: lines that begin with `>` are what is done, the others what comes of it. */
async function expectTrace(script: string, options?: WorldOptions): Promise<void> {
  const expected = script.trim().split('\n').map((line) => line.trim()).map((line) => (line.startsWith('>') ? line : `  ${line}`)).join('\n')
  assert.equal(await new ClassicScript(options).run(script), expected)
}

test('a member is given an id, waits for others, leads, and assigns', () => expectTrace(`
  > join A
  A join: MEMBER_ID_REQUIRED
  > join A
  > describe
  describe: PreparingRebalance A:""
  > wait 3000
  A join: generation 1, range, leader A, leads A
  > describe
  describe: CompletingRebalance A:""
  > commit A orders/0=3
  A commit: REBALANCE_IN_PROGRESS
  > sync A A=all
  A sync: assigned "all"
  > describe
  describe: Stable range A:"all"
  > list
  list: g classic consumer Stable
  > beat A
  A beat: NONE
  > commit A orders/0=3
  A commit: NONE
  > fetch orders/0
  fetch: orders/0=3 epoch 7 "m"
`))
