// docs/benchmarks.md: sections, each written by a run of its own.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem, type as system, release } from 'node:os'
import { versions } from '../scripts/peer/cache.ts'

export interface Section {
  /** The table. */
  readonly text: string
  readonly command: string
  readonly runs: number
  readonly kind: SectionKind
}

/** In the order of the page. */
const titles = { single: 'One broker', transactions: 'Transactions', cluster: 'Three brokers' } as const

export type SectionKind = keyof typeof titles

const introduction = `# Benchmarks

Each number is the median of several runs (the least and the most behind it), made in alternation in one run of the bench, after a
warm-up that does not count: as many runs as it takes until two in a row are no better, at most 12. The clients are the same programs
for each broker, and run on the same machine, so they share its cores with the brokers. \`ratio\` compares at equal flush policy:
Longtail with durability=replicated leaves flushing to the system, as Kafka does. \`fsync\` is Longtail's default: acknowledged means on
stable storage.

Sealed segments go to the object store at a pace of their own, so part of that work comes after the run that made them; the row "and
all that follows from it" waits for the end of it. CPU seconds are those of all threads of all brokers' processes (/proc/PID/stat) per GB
of values. Latency is from when a record was due to be sent to when the consumer had it, at a steady rate of records of 1 KiB. Throughput
of a client that is itself the limit says little about the broker: look at the CPU seconds beside it.
[performance.md](performance.md) says why the numbers are what they are.
`

const settings = {
  single: 'acks=all on one broker and 4 partitions.',
  transactions: `One broker, and one librdkafka producer that makes a round of records, waits until all of them are acknowledged or committed, and
makes the next. Commits to the table are counted by the broker (\`longtail_table_calls_total\`).`,
  cluster: `acks=all on three brokers, each a process, with 4 partitions of three replicas, of which two must have a record before it is
acknowledged. Six processes of Longtail (of both kinds) and three of Kafka are there all the time, and only those rest that are not
measured. Memory is the sum of three. A gap is the longest time in which a librdkafka producer, with a record due every 2 ms, had nothing
acknowledged while the leader of its partition was killed (SIGKILL) or stopped in order (SIGTERM).`,
} as const

/** Puts the section in place of the one before of its kind. */
export function writeSection(file: string, section: Section): void {
  const others = existsSync(file) ? sectionsOf(readFileSync(file, 'utf8')) : new Map<string, string>()
  others.set(titles[section.kind], sectionText(section))
  const ordered = Object.values(titles).flatMap((title) => (others.has(title) ? [`## ${title}\n\n${others.get(title)!.trim()}\n`] : []))
  writeFileSync(file, [introduction, ...ordered].join('\n'))
}

/** By title, without it. */
function sectionsOf(page: string): Map<string, string> {
  const [, ...sections] = page.split(/^## /m)
  return new Map(sections.map((section) => {
    const end = section.indexOf('\n')
    return [section.slice(0, end), section.slice(end + 1)]
  }))
}

function sectionText({ text, command, runs, kind }: Section): string {
  return `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}, ${runs} runs: ${machine()}.

${settings[kind]}

${text}
`
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
