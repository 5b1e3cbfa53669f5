// `npm run bench`: the same clients against Longtail and against Apache Kafka, in alternation in one run, so that what
// the machine does meanwhile meets both. Longtail runs twice: with Kafka's flush policy (durability=replicated: the page
// cache), which is what the ratios compare, and with its own (fsync).
//
//   node scripts/bench.ts [--short] [--runs N] [--only throughput,settled,latency,transactions,start,failover] [--clients librdkafka,Java]
//                         [--bytes 1024,100] [--untiered] [--brokers 3] [--write FILE]
//
// --brokers 3 measures clusters: three replicas of everything, of which two must have a record before it is acknowledged,
// and for how long writes stop when a leader goes (failover) in place of how long a broker takes to start.
// --untiered compares equal work: Longtail sends every segment to its object store unless it is told not to, and Kafka does not.
// --short takes about three minutes; --write puts the table, the machine and the versions into a section of a file, such as
// docs/benchmarks.md, and leaves the sections of other kinds as they are: one broker, its transactions alone, three brokers.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { apacheKafkaCluster, type ClusterSubject, longtailCluster } from '../bench/cluster-subject.ts'
import { javaClient, librdkafka, type LoadClient } from '../bench/clients.ts'
import {
  measureLatency,
  measureSettled,
  measureStart,
  measureThroughput,
  note,
  producerCpu,
  type Samples,
  type Sizes,
  startTopic,
} from '../bench/measurements.ts'
import { measureFailover } from '../bench/failover.ts'
import { measureTransactions } from '../bench/transactions.ts'
import { type SectionKind, writeSection } from '../bench/page.ts'
import { table } from '../bench/report.ts'
import { apacheKafka, longtail, type SingleSubject, type Subject } from '../bench/subject.ts'
import { setUp } from './peer/setup.ts'

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    runs: { type: 'string' },
    write: { type: 'string' },
    only: { type: 'string', default: 'throughput,settled,latency,transactions,start,failover' },
    brokers: { type: 'string', default: '1' },
    clients: { type: 'string', default: 'librdkafka,Java' },
    bytes: { type: 'string', default: '1024,100' },
    untiered: { type: 'boolean', default: false },
  },
})
const only = new Set(values.only.split(','))
if (values.brokers !== '1' && values.brokers !== '3') throw new TypeError('--brokers is 1 or 3')
const full: Sizes = {
  records: new Map([
    [1024, 1_000_000],
    [100, 4_000_000],
  ]),
  latencySeconds: 20,
  runs: 5,
}
const short: Sizes = {
  records: new Map([
    [1024, 200_000],
    [100, 800_000],
  ]),
  latencySeconds: 6,
  runs: 3,
}
const sizes: Sizes = { ...(values.short ? short : full), ...(values.runs === undefined ? {} : { runs: Number(values.runs) }) }

setUp(['commands', 'kafka', 'kafka tools', 'librdkafka', 'bench'])
const root = mkdtempSync(join(tmpdir(), 'longtail-bench-'))

function payloadFile(bytes: number): string {
  const file = join(root, `payload-${bytes}`)
  const line = (seed: number) =>
    Array.from({ length: bytes }, (_, index) => String.fromCharCode(97 + ((index * 7919 + seed * 31 + (index >> 5)) % 26))).join(
      '',
    )
  writeFileSync(file, Array.from({ length: 20 }, (_, index) => line(index)).join('\n'))
  return file
}

const clients: readonly LoadClient[] = [librdkafka, javaClient(payloadFile)].filter(({ name }) =>
  values.clients.split(',').includes(name),
)
const tiering = { isTiered: !values.untiered }
/** Those of which one kind is there. */
const singles: readonly SingleSubject[] = values.brokers === '3' ? [] : [
  await longtail(root, 'replicated', tiering), await apacheKafka(root), await longtail(root, 'fsync', tiering),
]
const clusters: readonly ClusterSubject[] = values.brokers === '1' ? [] : [
  await longtailCluster('replicated', tiering), await apacheKafkaCluster(root), await longtailCluster('fsync', tiering),
]
const subjects: readonly Subject[] = [...singles, ...clusters]
const results = new Map<Subject, Samples>(subjects.map((subject) => [subject, new Map()]))

type Measure<S extends Subject> = (subject: S, samples: Samples) => Promise<void>

/** How a broker is warmed up: not at all, with one run, or with as many as it takes for a sample to fall no more. */
type WarmUp = 'none' | 'once' | { readonly until: string }

/** Every broker once per run, each time another one first, after all were warmed up. */
async function alternate<S extends Subject>(what: string, of: readonly S[], measure: Measure<S>, warm: WarmUp = 'once'): Promise<void> {
  for (const subject of of) {
    if (warm === 'none') break
    const runs = await warmUp(subject, measure, warm === 'once' ? undefined : warm.until)
    console.error(`bench: ${what}, ${subject.name} is warm after ${runs} ${runs === 1 ? 'run' : 'runs'}`)
  }
  for (let run = 0; of.length > 0 && run < sizes.runs; run++) {
    for (let index = 0; index < of.length; index++) {
      const subject = of[(index + run) % of.length]!
      await measure(subject, results.get(subject)!)
    }
    console.error(`bench: ${what}, run ${run + 1} of ${sizes.runs}`)
  }
}

const warmUpsMax = 12
/** So many runs in a row that are no better than the best by this share: the compilers of V8 and of the JVM are through. */
const [noBetterMax, better] = [2, 0.1]

async function warmUp<S extends Subject>(subject: S, measure: Measure<S>, settles: string | undefined): Promise<number> {
  let [best, noBetter] = [Infinity, 0]
  for (let run = 1; ; run++) {
    const samples: Samples = new Map()
    await measure(subject, samples)
    const value = settles === undefined ? undefined : samples.get(settles)?.[0]
    if (value === undefined || run === warmUpsMax) return run
    noBetter = value > best * (1 - better) ? noBetter + 1 : 0
    best = Math.min(best, value)
    if (noBetter === noBetterMax) return run
  }
}

async function everything(): Promise<void> {
  if (only.has('throughput')) {
    for (const bytes of values.bytes.split(',').map(Number)) {
      for (const client of clients) {
        const measure = (subject: Subject, samples: Samples) =>
          measureThroughput({ subject, client, bytes, records: sizes.records.get(bytes)! }, samples)
        await alternate(`throughput, ${bytes} bytes, ${client.name}`, subjects, measure, { until: producerCpu({ bytes, client }) })
      }
    }
  }
  if (only.has('settled')) {
    const run = { client: librdkafka, bytes: 1024, records: sizes.records.get(1024)! }
    await alternate('settled', subjects, (subject, samples) => measureSettled({ subject, ...run }, samples))
  }
  if (only.has('latency')) {
    for (const ratePerSecond of clusters.length > 0 ? [100, 1000] : [1000]) {
      const measure = (subject: Subject, samples: Samples) => measureLatency(subject, { sizes, ratePerSecond }, samples)
      await alternate(`latency at ${ratePerSecond} records/s`, subjects, measure, { until: `latency p50|${ratePerSecond}` })
    }
  }
  if (only.has('transactions')) {
    const of = values.short ? { small: 200, large: 20 } : { small: 1000, large: 100 }
    await alternate('transactions', subjects, (subject, samples) => measureTransactions(subject, of, samples), { until: 'txn transactional p50' })
  }
  if (only.has('throughput') || only.has('latency')) {
    await sleep(2000)
    for (const subject of subjects) {
      const { rss, peak } = subject.memory()
      note(results.get(subject)!, 'rss', rss / 2 ** 20)
      note(results.get(subject)!, 'peak', peak / 2 ** 20)
    }
  }
  if (only.has('start')) {
    const topics = new Map<Subject, string>()
    for (const subject of singles) topics.set(subject, await startTopic(subject))
    await alternate('start', singles, (subject, samples) => measureStart(subject, topics.get(subject)!, samples))
  }
  if (only.has('failover')) await alternate('failover', clusters, measureFailover, 'none')
}

/** Transactions alone are a section of their own. */
function sectionKind(): SectionKind {
  if (clusters.length > 0) return 'cluster'
  return values.only === 'transactions' ? 'transactions' : 'single'
}

try {
  await everything()
  const columns = subjects.map((subject) => ({ name: subject.name, samples: results.get(subject)! }))
  const text = table(columns as [(typeof columns)[0], (typeof columns)[0], (typeof columns)[0]])
  console.log(text)
  if (values.write !== undefined) {
    const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim()
    writeSection(values.write, { text, command, runs: sizes.runs, kind: sectionKind() })
  }
} finally {
  await Promise.all(subjects.map((subject) => subject.dispose()))
  rmSync(root, { recursive: true, force: true })
}
