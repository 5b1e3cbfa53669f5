// Runs librdkafka's own tests against a broker: one process per test number, so that a hang or a crash in one spoils no
// other, several side by side.
//
//   node scripts/peer/librdkafka-suite.ts --bootstrap HOST:PORT,... [--pool N] [--full] [--tests 0001,0103] [--out FILE]
//
// The brokers must make topics automatically, with 4 partitions; more than one address: a cluster of so many, with three
// replicas, each in a rack RACK<id>. Quick mode (the default) skips most of the sub-tests; --full is what counts. The
// results are compared with test/interop/librdkafka/expected.json where --check is given.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { places, repository, versions } from './cache.ts'
import { setUp } from './setup.ts'

export type State = 'PASSED' | 'FAILED' | 'SKIPPED' | 'CRASHED' | 'TIMEOUT'

export interface SuiteOptions {
  readonly bootstrap: string
  /** Processes side by side. */
  readonly pool: number
  readonly isFull: boolean
  /** Only these test numbers, or parts of one (`0081/do_test_ListOffsets`); empty: all, and the parts below. */
  readonly numbers: readonly string[]
  /** For each process, in seconds. */
  readonly limitSeconds: number
  readonly onResult: (name: string, outcome: Outcome) => void
}

export interface Outcome {
  readonly state: State
  readonly seconds: number
  /** The reason for a skip or a failure, as librdkafka prints it. */
  readonly reason: string
  /** How often it ran until it passed, or at all; only of those that measure time. */
  readonly attempts?: number
}

/** 0081 as a whole wants ACLs and fails without; these parts of it do not. */
const adminParts = [
  'CreateTopics',
  'DeleteTopics',
  'CreatePartitions',
  'AlterConfigs',
  'IncrementalAlterConfigs',
  'DescribeConfigs',
  'DescribeConfigs_groups',
  'DeleteRecords',
  'DeleteGroups',
  'ListConsumerGroups',
  'DescribeConsumerGroups',
  'DescribeTopics',
  'DescribeCluster',
  'DeleteConsumerGroupOffsets',
  'AlterConsumerGroupOffsets',
  'ListConsumerGroupOffsets',
  'ListOffsets',
].map((name) => [`0081/do_test_${name}`, `do_test_${name}:`] as const)

/**
 * 0055 as a whole wants transactions, and without its parts it measures nothing: quick mode leaves them all out. The one
 * with a linger.ms of three seconds is not worth the time.
 */
const latencyParts = [
  'standard settings',
  'low linger.ms (0ms)',
  'microsecond linger.ms (0.001ms)',
  'linger.ms < 1000 (500ms)',
  'no acks (0ms)',
  'idempotence (10ms)',
].map((name) => [`0055/${name}`, `: ${name} (linger.ms=`] as const)

/** By their names here, what stands in the lines that librdkafka prints of them and of no other part. */
const parts: ReadonlyMap<string, string> = new Map([...adminParts, ...latencyParts])

/**
 * These fail where ten deliveries take longer on average than they allow: a roundtrip and 5 ms, times the multiplier. On
 * a machine that others use too, such a run may say more about them than about the broker, so nothing of ours runs
 * beside these, and each may try again; the outcome tells how often it had to.
 */
function measuresTime(name: string): boolean {
  return name.startsWith('0055')
}

const timedAttemptsMax = 5

const tests = join(places.librdkafka, 'tests')

/** Numbers with at least one test that talks to a broker; those from 8000 on are for people to watch. */
export function testNumbers(): string[] {
  const source = readFileSync(join(tests, 'test.c'), 'utf8')
  const table = source.slice(source.indexOf('struct test tests[]'))
  const found = new Set<string>()
  for (const [, name, flags] of table.matchAll(/_TEST\(\s*(\d{4}\w*)\s*,\s*([^,)]*)/g)) {
    if (!flags!.includes('TEST_F_LOCAL') && name! < '1000') found.add(name!.slice(0, 4))
  }
  return [...found].sort()
}

/** Under which the tests make their clients. */
function clientSettings({ bootstrap, isFull }: SuiteOptions): string {
  const settings = {
    'bootstrap.servers': bootstrap, 'security.protocol': 'plaintext', 'test.timeout.multiplier': '4', 'test.topic.random': 'true',
    // The default. In CI, which quick mode stands for, the tests would have 10 s: records that wait longer behind other
    // work are sent again, and tests whose producers are not idempotent then find them twice.
    ...(isFull ? {} : { 'request.timeout.ms': '30000' }),
  }
  return Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join('')
}

export async function runSuite(options: SuiteOptions): Promise<Map<string, Outcome>> {
  const directory = mkdtempSync(join(tmpdir(), 'longtail-librdkafka-'))
  const config = join(directory, 'test.conf')
  writeFileSync(config, clientSettings(options))
  const isWanted = (number: string) => options.numbers.length === 0 || options.numbers.includes(number)
  const wanted = [...parts.keys(), ...testNumbers()].filter(isWanted)
  const results = new Map<string, Outcome>()
  const work = async (queue: Iterator<string, undefined>) => {
    for (let number = queue.next().value; number !== undefined; number = queue.next().value) {
      const one = { number, directory, config, options }
      for (const [name, outcome] of await (measuresTime(number) ? runTimed(one) : runOne(one))) {
        results.set(name, outcome)
        options.onResult(name, outcome)
      }
    }
  }
  const together = wanted.filter((number) => !measuresTime(number)).values()
  await Promise.all(Array.from({ length: options.pool }, () => work(together)))
  await work(wanted.filter(measuresTime).values())
  return new Map([...results].sort(([one], [other]) => (one < other ? -1 : 1)))
}

interface One {
  readonly number: string
  readonly directory: string
  readonly config: string
  readonly options: SuiteOptions
}

async function runTimed(one: One): Promise<Map<string, Outcome>> {
  for (let attempts = 1; ; attempts++) {
    const found = await runOne(one)
    const hasFailed = [...found.values()].some(({ state }) => state === 'FAILED')
    if (!hasFailed || attempts === timedAttemptsMax) {
      return new Map([...found].map(([name, outcome]) => [name, { ...outcome, attempts }]))
    }
  }
}

async function runOne({ number: name, directory, config, options }: One): Promise<Map<string, Outcome>> {
  const number = name.slice(0, 4)
  const part = parts.get(name)
  // In quick mode the parts that measure time are left out, even where they are asked for.
  const isQuick = !options.isFull && !(measuresTime(name) && part !== undefined)
  const file = join(directory, name.replaceAll(/[^\w-]+/g, '-'))
  const [log, report] = [`${file}.log`, `${file}.json`]
  const output = openSync(log, 'w')
  const started = performance.now()
  const child = spawn('./test-runner', ['-r', '-p1', '-L', ...(isQuick ? ['-Q'] : [])], {
    cwd: tests,
    detached: true,
    stdio: ['ignore', output, output],
    env: environment({ number, part, report, config, options, isQuick }),
  })
  closeSync(output)
  const inTime = await exited(child, options.limitSeconds)
  const seconds = (performance.now() - started) / 1000
  const text = readFileSync(log, 'utf8').replaceAll(/\x1b\[[0-9;]*m/g, '')
  if (!existsSync(report)) return new Map([[name, { state: inTime ? 'CRASHED' : 'TIMEOUT', seconds, reason: `see ${log}` }]])
  const found = outcomes({ number, report: readFileSync(report, 'utf8'), text })
  if (part === undefined) return found
  const [whole] = found.values()
  // A part whose name is wrong would pass without running anything.
  const hasRun = text.split('\n').some((line) => line.includes('[ ') && line.includes(part))
  if (!hasRun) return new Map([[name, { state: 'CRASHED', seconds, reason: 'no such part' }]])
  return new Map(whole === undefined ? [] : [[name, whole]])
}

interface Surroundings extends Pick<One, 'config' | 'options'> {
  readonly number: string
  readonly part: string | undefined
  readonly report: string
  readonly isQuick: boolean
}

function environment({ number, part, report, config, options, isQuick }: Surroundings): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // Where this is set, whatever to, librdkafka waits longer, forgives what is late and skips 0055. So what is asked of a
    // broker would depend on who asks; here it depends on the mode.
    CI: isQuick ? 'true' : undefined,
    TESTS: number,
    TEST_REPORT: report,
    RDKAFKA_TEST_CONF: config,
    TEST_KAFKA_VERSION: versions.kafka,
    KAFKA_VERSION: versions.kafka,
    ...(part === undefined ? {} : { SUBTESTS: part }),
    KAFKA_PATH: places.kafkaHome,
    BROKERS: options.bootstrap,
    LD_LIBRARY_PATH: '../src:../src-cpp',
  }
}

/** False where the process had to be killed. */
async function exited(child: ChildProcess, limitSeconds: number): Promise<boolean> {
  let inTime = true
  const timer = setTimeout(() => {
    inTime = false
    // The whole group: tests start Kafka's tools.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }, limitSeconds * 1000)
  await new Promise((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  return inTime
}

interface Reported {
  readonly tests: Record<string, { readonly state: string; readonly duration: number; readonly extra?: string }>
}

function outcomes({ number, report, text }: { number: string; report: string; text: string }): Map<string, Outcome> {
  const result = new Map<string, Outcome>()
  for (const [name, { state, duration, extra }] of Object.entries((JSON.parse(report) as Reported).tests)) {
    if (!name.startsWith(number)) continue
    const row = new RegExp(`\\| ${name}\\s+\\|\\s+\\w+ \\|[^|]*\\|(.*)`).exec(text)
    const reason = row?.[1]?.trim() || extra || ''
    // Tests that -L leaves out are not part of this run.
    if (state === 'SKIPPED' && /negative test flags|Filtered due/.test(reason)) continue
    result.set(name, { state: state as State, seconds: Math.round(duration * 10) / 10, reason })
  }
  return result
}

export interface Expectation {
  readonly expect: 'pass' | 'not required'
  /** Why it need not pass; stated for each test that need not. */
  readonly reason?: string
  /** Set where a run in quick mode proves nothing: what happens then. */
  readonly quick?: string
  /** Set where it need not pass in full mode: why. */
  readonly full?: string
  /** What holds on a cluster, in place of all of this. */
  readonly cluster?: Expectation
}

export function expectations({ brokerCount }: { readonly brokerCount: number }): Map<string, Expectation> {
  const file = join(repository, 'test/interop/librdkafka/expected.json')
  const { tests: listed } = JSON.parse(readFileSync(file, 'utf8')) as { tests: Record<string, Expectation> }
  return new Map(Object.entries(listed).map(([name, one]) => [name, (brokerCount > 1 ? one.cluster : undefined) ?? one]))
}

export function isRequired({ expect, quick, full }: Expectation, isFull: boolean): boolean {
  if (expect !== 'pass') return false
  return isFull ? full === undefined : quick !== 'SKIPPED'
}

/** What differs from the expectations, one line each; empty where everything is as it must be. */
export function deviations(
  results: ReadonlyMap<string, Outcome>,
  { listed, isFull }: { listed: ReadonlyMap<string, Expectation>; isFull: boolean },
): string[] {
  const lines: string[] = []
  for (const [name, { state, reason }] of results) {
    const expected = listed.get(name)
    if (expected === undefined) lines.push(`${name}: ${state}, and no expectation is written down`)
    else if (isRequired(expected, isFull) && state !== 'PASSED') lines.push(`${name}: ${state}, must pass: ${reason}`)
  }
  return lines
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      bootstrap: { type: 'string' },
      pool: { type: 'string', default: '3' },
      full: { type: 'boolean', default: false },
      tests: { type: 'string', default: '' },
      out: { type: 'string' },
      check: { type: 'boolean', default: false },
      limit: { type: 'string', default: '900' },
    },
  })
  if (values.bootstrap === undefined) throw new TypeError('--bootstrap HOST:PORT is needed')
  setUp(['kafka', 'kafka tools', 'librdkafka'])
  const started = performance.now()
  const results = await runSuite({
    bootstrap: values.bootstrap,
    pool: Number(values.pool),
    isFull: values.full,
    limitSeconds: Number(values.limit),
    numbers: values.tests === '' ? [] : values.tests.split(','),
    onResult: (name, { state, seconds, reason }) =>
      console.log(`${state.padEnd(8)} ${name} ${seconds} s${reason === '' ? '' : `: ${reason}`}`),
  })
  const count = (state: State) => [...results.values()].filter((one) => one.state === state).length
  console.log(
    `passed ${count('PASSED')}, failed ${count('FAILED') + count('CRASHED') + count('TIMEOUT')}, skipped ${count('SKIPPED')} ` +
      `in ${((performance.now() - started) / 1000).toFixed(0)} s`,
  )
  if (values.out !== undefined) {
    mkdirSync(join(values.out, '..'), { recursive: true })
    writeFileSync(values.out, `${JSON.stringify(Object.fromEntries(results), undefined, 1)}\n`)
  }
  if (!values.check) return
  const lines = deviations(results, { listed: expectations({ brokerCount: values.bootstrap.split(',').length }), isFull: values.full })
  for (const line of lines) console.log(`deviation: ${line}`)
  process.exitCode = lines.length === 0 ? 0 : 1
}

if (import.meta.main) await main()
