// `npm run simulate -- --seeds N --seed S [--minutes-simulated M] [--mode safety|liveness] [--faults a,b] [--trace FILE]`: runs
// simulations of seeds S to S + N - 1 and ends with 1 where one broke a promise. A seed that fails prints its options; with
// `--seeds 1` it runs again exactly so, and tells more.

import { openSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ruleNames } from '../broker/cluster/rules.ts'
import { type FaultName, faultNames } from '../sim/faults.ts'
import { type Mode, optionsOf } from '../sim/options.ts'
import { type RunResult, simulate } from '../sim/simulation.ts'

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    'minutes-simulated': { type: 'string', default: '2' },
    mode: { type: 'string', default: 'safety' },
    brokers: { type: 'string', default: '3' },
    without: { type: 'string', default: '' },
    faults: { type: 'string' },
    trace: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
})

const unknown = given.faults?.split(',').find((name) => name !== '' && !faultNames.includes(name as FaultName))
if (unknown !== undefined) throw new Error(`there is no fault '${unknown}'; there are ${faultNames.join(', ')}`)
if (given.mode !== 'safety' && given.mode !== 'liveness') throw new Error(`--mode '${given.mode}': must be safety or liveness`)

// At once, so that a run which hangs has left what came before.
const trace = given.trace === undefined ? undefined : openSync(given.trace, 'w')
const print = (line: string) => console.log(line)

function optionsFor(seed: number) {
  const faults = given.faults?.split(',').filter((name) => name !== '') as FaultName[] | undefined
  const without = ruleNames.filter((rule) => given.without.split(',').includes(rule))
  const common = { seed, without, mode: given.mode as Mode, minutes: Number(given['minutes-simulated']), brokers: Number(given.brokers) }
  return optionsOf(faults === undefined ? common : { ...common, faults })
}

function report(result: RunResult, seconds: number): void {
  const { options, violations, history, hash, events, virtualMs } = result
  const { attempts, polls } = history
  const acknowledged = attempts.filter(({ outcome }) => outcome === 'ok').length
  print(`seed ${options.seed} ${violations.length === 0 ? 'kept' : 'BROKE'} ${hash}  ${(virtualMs / 60_000).toFixed(1)} min in ${seconds.toFixed(1)} s, ` +
    `${events} events, ${acknowledged} of ${attempts.length} batches acknowledged, ${polls.length} fetches; ${options.faults.join(', ') || 'no faults'}`)
  if (violations.length === 0) return
  print(`  options ${JSON.stringify(options)}`)
  for (const { rule, about } of violations.slice(0, 12)) print(`  ${rule}: ${about}`)
  const faults = options.faults.join(',')
  print(`  again: npm run simulate -- --seeds 1 --seed ${options.seed} --mode ${options.mode} --minutes-simulated ${options.minutes} --brokers ${options.brokers} --faults '${faults}' --log`)
}

let broken = 0
let virtualMinutes = 0
const seen = new Map<string, number>()
const startedAt = performance.now()
for (let seed = Number(given.seed); seed < Number(given.seed) + Number(given.seeds); seed++) {
  const began = performance.now()
  const result = await simulate(optionsFor(seed), {
    ...(trace === undefined ? {} : { onTrace: (line) => void writeSync(trace, line) }),
    ...(given.log ? { onLog: (line, fields) => print(`    ${line} ${textOf(fields)}`) } : {}),
  })
  report(result, (performance.now() - began) / 1000)
  if (result.violations.length > 0) broken++
  virtualMinutes += result.virtualMs / 60_000
  for (const [what, count] of result.seen) seen.set(what, (seen.get(what) ?? 0) + count)
}

const seconds = (performance.now() - startedAt) / 1000
print(`${given.seeds} seeds, ${broken} broke a promise; ${virtualMinutes.toFixed(1)} virtual minutes in ${seconds.toFixed(1)} s`)
for (const [what, count] of [...seen].sort()) print(`  ${String(count).padStart(7)}  ${what}`)
// As Node's test runner says it, for whoever adds up.
print(`ℹ pass ${Number(given.seeds) - broken}\nℹ fail ${broken}`)
process.exitCode = broken === 0 ? 0 : 1

function textOf(fields: object): string {
  return JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value))
}
