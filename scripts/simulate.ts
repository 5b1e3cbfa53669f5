// `npm run simulate -- --seeds N --seed S [--minutes-simulated M] [--mode safety|liveness] [--brokers B] [--faults a,b]`: runs
// simulations of seeds S to S + N - 1 and ends with 1 where one broke a promise. A seed that fails prints its options; with
// `--seeds 1` it runs again exactly so, and `--log` and `--trace FILE` tell more.
//   --jobs J      so many at once, each in a thread of its own
//   --twice       runs each seed two times, and both must be the same, event by event
//   --removals    takes away one rule of replication after another: each must come to light within N seeds

import { openSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type AnyRule, ruleNames, transactionRuleNames } from '../broker/runtime/rules.ts'
import { type FaultName, faultNames } from '../sim/faults.ts'
import { type Mode, optionsOf, type RunOptions } from '../sim/options.ts'
import { trialOf } from '../sim/removals.ts'
import { type Outcome, runOnce } from './simulate/run-once.ts'
import { Threads } from './simulate/threads.ts'

const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    'minutes-simulated': { type: 'string', default: '2' },
    mode: { type: 'string', default: 'safety' },
    brokers: { type: 'string', default: '3' },
    faults: { type: 'string' },
    without: { type: 'string', default: '' },
    jobs: { type: 'string', default: '1' },
    twice: { type: 'boolean', default: false },
    removals: { type: 'boolean', default: false },
    trace: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
})

const unknown = given.faults?.split(',').find((name) => name !== '' && !faultNames.includes(name as FaultName))
if (unknown !== undefined) throw new Error(`there is no fault '${unknown}'; there are ${faultNames.join(', ')}`)
if (given.mode !== 'safety' && given.mode !== 'liveness') throw new Error(`--mode '${given.mode}': must be safety or liveness`)
const without = given.without.split(',').filter((name) => name !== '')
const allRuleNames: readonly AnyRule[] = [...ruleNames, ...transactionRuleNames]
const noRule = without.find((name) => !allRuleNames.includes(name as AnyRule))
if (noRule !== undefined) throw new Error(`there is no rule '${noRule}'; there are: ${allRuleNames.join(', ')}`)

/** Those that are taken away one by one, where that is asked for: all, or some. */
const removed = without.length === 0 ? allRuleNames : (without as AnyRule[])

// At once, so that a run which hangs has left what came before.
const trace = given.trace === undefined ? undefined : openSync(given.trace, 'w')
const print = (line: string) => console.log(line)
const [first, count, jobs] = [Number(given.seed), Number(given.seeds), Number(given.jobs)]
const startedAt = performance.now()

function optionsFor(seed: number): RunOptions {
  const faults = given.faults?.split(',').filter((name) => name !== '') as FaultName[] | undefined
  const common = {
    seed, mode: given.mode as Mode, minutes: Number(given['minutes-simulated']), brokers: Number(given.brokers), without: without as AnyRule[],
  }
  return optionsOf(faults === undefined ? common : { ...common, faults })
}

function report({ options, violations, hash, events, virtualMs, seconds, batches, polls }: Outcome): void {
  print(`seed ${options.seed} ${violations.length === 0 ? 'kept' : 'BROKE'} ${hash}  ${(virtualMs / 60_000).toFixed(1)} min in ${seconds.toFixed(1)} s, ` +
    `${events} events, ${batches.acknowledged} of ${batches.sent} batches acknowledged, ${polls} fetches; ${options.faults.join(', ') || 'no faults'}`)
  if (violations.length === 0) return
  print(`  options ${JSON.stringify(options)}`)
  for (const { rule, about } of violations.slice(0, 12)) print(`  ${rule}: ${about}`)
  const flags = [
    `--seed ${options.seed} --mode ${options.mode} --minutes-simulated ${options.minutes} --brokers ${options.brokers}`,
    `--faults '${options.faults.join(',')}'`, ...(options.without.length === 0 ? [] : [`--without '${options.without.join(',')}'`]),
  ]
  print(`  again: npm run simulate -- --seeds 1 ${flags.join(' ')} --log`)
}

/** Here, where there is something to be told meanwhile; in threads otherwise. */
async function runAll(all: readonly RunOptions[], told: (outcome: Outcome) => void): Promise<void> {
  if (jobs > 1) return new Threads(jobs).run(all, told)
  for (const options of all) {
    told(await runOnce(options, {
      ...(trace === undefined ? {} : { onTrace: (line: string) => void writeSync(trace, line) }),
      ...(given.log ? { onLog: (line: string, fields: object) => print(`    ${line} ${textOf(fields)}`) } : {}),
    }))
  }
}

async function holdPromises(): Promise<number> {
  let [broken, virtualMinutes] = [0, 0]
  const seen = new Map<string, number>()
  const hashes = new Map<number, string>()
  const seeds = Array.from({ length: count }, (_, index) => optionsFor(first + index))
  await runAll(given.twice ? [...seeds, ...seeds] : seeds, (outcome) => {
    const { options: { seed }, hash } = outcome
    const isSame = (hashes.get(seed) ?? hash) === hash
    if (!hashes.has(seed) || !isSame) report(outcome)
    if (!isSame) print(`  was ${hashes.get(seed)} the other time: a seed must give the same run always`)
    hashes.set(seed, hash)
    if (outcome.violations.length > 0 || !isSame) broken++
    virtualMinutes += outcome.virtualMs / 60_000
    for (const [what, times] of outcome.seen) seen.set(what, (seen.get(what) ?? 0) + times)
  })
  const seconds = (performance.now() - startedAt) / 1000
  print(`${count} seeds${given.twice ? ', twice each' : ''}, ${broken} broke a promise; ` +
    `${(virtualMinutes / 60).toFixed(2)} virtual hours in ${seconds.toFixed(1)} s`)
  for (const [what, times] of [...seen].sort()) print(`  ${String(times).padStart(7)}  ${what}`)
  return Math.min(broken, count)
}

async function removeRules(): Promise<number> {
  let missed = 0
  for (const rule of removed) {
    let [tried, caught] = [0, undefined as Outcome | undefined]
    for (let seed = first; seed < first + count && caught === undefined; seed += jobs) {
      const trials = Array.from({ length: Math.min(jobs, first + count - seed) }, (_, index) => trialOf(rule, { seed: seed + index }))
      tried += trials.length
      await runAll(trials, (outcome) => {
        if (outcome.violations.length > 0) caught ??= outcome
      })
    }
    const found = caught?.violations[0]
    print(found === undefined
      ? `MISSED without "${rule}": ${tried} seeds broke no promise`
      : `caught without "${rule}", seed ${caught!.options.seed}, after ${tried}: ${found.rule}: ${found.about}`)
    if (found === undefined) missed++
  }
  return missed
}

const failed = given.removals ? await removeRules() : await holdPromises()
// As Node's test runner says it, for whoever adds up.
print(`ℹ pass ${(given.removals ? removed.length : count) - failed}\nℹ fail ${failed}`)
process.exitCode = failed === 0 ? 0 : 1

function textOf(fields: object): string {
  return JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? `${value.name}: ${value.message}` : value))
}
