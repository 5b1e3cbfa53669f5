import { ruleNames, rulesWithout } from '../broker/cluster/rules.ts'
import { probes, removals, scenes } from '../model/bounds.ts'
import { explore } from '../model/explore.ts'
import { textOf } from '../model/event.ts'

const only = process.argv[2]
for (const [name, bounds] of Object.entries({ ...scenes, ...removals, ...probes })) {
  if (only !== undefined && !name.includes(only)) continue
  const t = performance.now()
  const rules = ruleNames.includes(name as never) ? rulesWithout(name as never) : undefined
  const r = explore(rules === undefined ? { bounds } : { bounds, rules })
  console.log(name, r.states, r.depth, r.isComplete, r.violation?.about, ((performance.now() - t) / 1000).toFixed(1), 's', Math.round(process.memoryUsage().rss / 1e6), 'MB')
  if (r.violation) for (const e of r.violation.way) console.log('   ', textOf(e))
}
