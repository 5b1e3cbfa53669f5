// `npm run model [-- --rule NAME] [-- --scene NAME]`: goes through every order of events of a small cluster within bounds, on
// the decisions that brokers make. With all rules kept no scene may break an invariant, and each must come to its end;
// without any one of the rules a violation must be found, and the shortest way to it is printed. Ends with 1 otherwise.
//   --rule NAME     takes away this rule alone; a part of its name is enough
//   --scene NAME    explores this scene alone, with all rules kept

import { parseArgs } from 'node:util'
import { type Rule, ruleNames, rulesWithout } from '../broker/runtime/rules.ts'
import { type Bounds, removals, scenes } from '../model/bounds.ts'
import { type Event, eventKinds } from '../model/event.ts'
import { type Exploration, explore } from '../model/explore.ts'
import { linesOf } from '../model/report.ts'

const { values: given } = parseArgs({
  options: { rule: { type: 'string' }, scene: { type: 'string' } },
})
let [passed, failed] = [0, 0]
const seen = new Set<Event['kind']>()

const chosenScenes = Object.entries(scenes).filter(
  ([name]) => given.rule === undefined && (given.scene === undefined || name.includes(given.scene)),
)
const chosenRules = ruleNames.filter(
  (name) => given.scene === undefined && (given.rule === undefined || name.includes(given.rule)),
)
if (chosenScenes.length + chosenRules.length === 0) {
  throw new Error(`there are the scenes ${Object.keys(scenes).join(', ')}, and the rules ${ruleNames.join(', ')}`)
}
for (const [name, bounds] of chosenScenes) runScene(name, bounds)
if (given.rule === undefined && given.scene === undefined) lookForUnseen()
for (const name of chosenRules) runWithout(name)
// As Node's test runner says it, for whoever adds up.
console.log(`ℹ pass ${passed}\nℹ fail ${failed}`)
process.exitCode = failed === 0 ? 0 : 1

function runScene(name: string, bounds: Bounds): void {
  const startedAt = performance.now()
  const explored = explore({ bounds })
  const isKept = explored.violation === undefined && explored.isComplete
  report(`${isKept ? 'kept' : explored.violation === undefined ? 'CUT' : 'BROKEN'}: ${name}`, explored, startedAt)
  count(isKept)
  for (const kind of explored.kinds) seen.add(kind)
}

/** An event that never led anywhere was not explored, whatever the numbers say. */
function lookForUnseen(): void {
  const unseen = eventKinds.filter((kind) => !seen.has(kind))
  console.log(unseen.length === 0 ? `seen: each of ${eventKinds.length} kinds of events` : `NEVER SEEN: ${unseen.join(', ')}`)
  count(unseen.length === 0)
}

function runWithout(rule: Rule): void {
  const startedAt = performance.now()
  const explored = explore({ bounds: removals[rule], rules: rulesWithout(rule) })
  const isCaught = explored.violation !== undefined
  report(`${isCaught ? 'caught' : 'MISSED'} without "${rule}"`, explored, startedAt)
  count(isCaught)
}

function count(isGood: boolean): void {
  if (isGood) passed++
  else failed++
}

function report(title: string, explored: Exploration, startedAt: number): void {
  const { states, depth, isComplete, violation } = explored
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const end = isComplete ? 'all within the bounds' : violation === undefined ? 'cut' : 'stopped at the violation'
  console.log(`${title}: ${states} states, depth ${depth}, ${end}, ${seconds} s, ${Math.round(process.memoryUsage().rss / 1e6)} MB`)
  if (violation === undefined) return
  console.log(`  ${violation.invariant}: ${violation.about}`)
  for (const line of linesOf(violation)) console.log(`  ${line}`)
}
