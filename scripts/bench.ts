// `npm run bench`: the same clients against Longtail and against Apache Kafka, in alternation in one run, so that what
// the machine does meanwhile meets both. Longtail runs twice: with Kafka's flush policy (durability=replicated: the page
// cache), which is what the ratios compare, and with its own (fsync).
//
//   node scripts/bench.ts [--short] [--runs N] [--only throughput,settled,latency,start] [--clients librdkafka,Java]
//                         [--bytes 1024,100] [--untiered] [--write FILE]
//
// --untiered compares equal work: Longtail sends every segment to its object store unless it is told not to, and Kafka does not.
// --short takes about three minutes; --write puts the table, the machine and the versions into a file, such as
// docs/benchmarks.md.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem, type as system, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { javaClient, librdkafka, type LoadClient } from '../bench/clients.ts'
import {
  measureLatency,
  measureSettled,
  measureStart,
  measureThroughput,
  note,
  type Samples,
  type Sizes,
  startTopic,
} from '../bench/measurements.ts'
import { table } from '../bench/report.ts'
import { apacheKafka, longtail, type Subject } from '../bench/subject.ts'
import { versions } from './peer/cache.ts'
import { setUp } from './peer/setup.ts'

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    runs: { type: 'string' },
    write: { type: 'string' },
    only: { type: 'string', default: 'throughput,settled,latency,start' },
    clients: { type: 'string', default: 'librdkafka,Java' },
    bytes: { type: 'string', default: '1024,100' },
    untiered: { type: 'boolean', default: false },
  },
})
const only = new Set(values.only.split(','))
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
const subjects: readonly Subject[] = [
  await longtail(root, 'replicated', tiering), await apacheKafka(root), await longtail(root, 'fsync', tiering),
]
const results = new Map<Subject, Samples>(subjects.map((subject) => [subject, new Map()]))

/** Every broker once per run, each time another one first; the run before the first warms everything up. */
async function alternate(what: string, measure: (subject: Subject, samples: Samples) => Promise<void>): Promise<void> {
  for (let run = -1; run < sizes.runs; run++) {
    for (let index = 0; index < subjects.length; index++) {
      const subject = subjects[(index + run + 1) % subjects.length]!
      await measure(subject, run < 0 ? new Map() : results.get(subject)!)
    }
    console.error(`bench: ${what}, ${run < 0 ? 'warm-up' : `run ${run + 1} of ${sizes.runs}`}`)
  }
}

async function everything(): Promise<void> {
  if (only.has('throughput')) {
    for (const bytes of values.bytes.split(',').map(Number)) {
      for (const client of clients) {
        await alternate(`throughput, ${bytes} bytes, ${client.name}`, (subject, samples) =>
          measureThroughput({ subject, client, bytes, records: sizes.records.get(bytes)! }, samples),
        )
      }
    }
  }
  if (only.has('settled')) {
    const run = { client: librdkafka, bytes: 1024, records: sizes.records.get(1024)! }
    await alternate('settled', (subject, samples) => measureSettled({ subject, ...run }, samples))
  }
  if (only.has('latency')) await alternate('latency', (subject, samples) => measureLatency(subject, sizes, samples))
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
    for (const subject of subjects) topics.set(subject, await startTopic(subject))
    await alternate('start', (subject, samples) => measureStart(subject, topics.get(subject)!, samples))
  }
}

function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const java = /^JAVA_RUNTIME_VERSION="?([^"\n]+)/m.exec(readIfThere('/usr/lib/jvm/default-java/release'))?.[1] ?? ''
  return [
    `${cpus().length} cores of ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${system()} ${release()}, Node ${process.version}`,
    `Apache Kafka ${versions.kafka} (KRaft, Kafka's own JVM flags, 1 GiB heap${java === '' ? '' : `, Java ${java}`}), librdkafka of @confluentinc/kafka-javascript ${versions.confluentJavascript}`,
  ].join('; ')
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

try {
  await everything()
  const columns = subjects.map((subject) => ({ name: subject.name, samples: results.get(subject)! }))
  const text = table(columns as [(typeof columns)[0], (typeof columns)[0], (typeof columns)[0]])
  console.log(text)
  if (values.write !== undefined) writeFileSync(values.write, page(text))
} finally {
  await Promise.all(subjects.map((subject) => subject.dispose()))
  rmSync(root, { recursive: true, force: true })
}

function page(text: string): string {
  const [command] = [`npm run bench -- ${process.argv.slice(2).join(' ')}`]
  return `# Benchmarks

Written by \`${command.trim()}\` on ${new Date().toISOString().slice(0, 10)}: ${machine()}.

Each number is the median of ${sizes.runs} runs (the least and the most behind it), made in alternation in one run of the bench, with a
warm-up that does not count. All with acks=all on one broker and 4 partitions; the clients are the same programs for each broker, and run
on the same machine, so they share its cores with the broker. \`ratio\` compares at equal flush policy: Longtail with durability=replicated
leaves flushing to the system, as Kafka does. \`fsync\` is Longtail's default: acknowledged means on stable storage.

${text}

Sealed segments go to the object store at a pace of their own, so part of that work comes after the run that made them; the row "and all that
follows from it" waits for the end of it. CPU seconds are those of all threads of the broker's process (/proc/PID/stat) per GB of values. Latency is from when a record was due to
be sent to when the consumer had it, at a steady rate of 1,000 records of 1 KiB per second. Throughput of a client that is itself the limit
says little about the broker: look at the CPU seconds beside it. [performance.md](performance.md) says why the numbers are what they are.
`
}
