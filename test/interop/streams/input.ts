// What the Streams applications are given, made from a seed, and what they have to make of it, computed here and by nothing
// that Kafka Streams has.

import { seeded } from '../../support/seeded.ts'

export interface InputRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly value: string
  readonly timestamp: number
}

export const partitions = 3
/** Of the windows that clicks are counted in. */
const windowMs = 10_000

export interface Sizes {
  readonly lines: number
  readonly clicks: number
  readonly orders: number
}

export interface StreamsInput {
  /** Tables and what is joined with them; all of it has to be there before the application starts, for times to decide what meets what. */
  readonly joined: readonly InputRecord[]
  /** May come while it runs. */
  readonly live: readonly InputRecord[]
}

const words = Array.from({ length: 400 }, (_, index) => `word${index}`)
const customers = 60

/** Times begin at `startMs` and go up in each partition. */
export function makeInput({ seed, startMs, lines, clicks, orders }: Sizes & { readonly seed: number; readonly startMs: number }): StreamsInput {
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const live: InputRecord[] = []
  for (let index = 0; index < Math.max(lines, clicks); index++) {
    const timestamp = startMs + index * 5
    if (index < lines) {
      const value = Array.from({ length: 3 }, () => words[below(words.length)]!).join(' ')
      live.push({ topic: 'lines', partition: index % partitions, key: `${index}`, value, timestamp })
    }
    const user = below(50)
    if (index < clicks) live.push({ topic: 'clicks', partition: user % partitions, key: `user${user}`, value: 'click', timestamp })
  }
  const joined: InputRecord[] = []
  const customer = (of: number, version: number, timestamp: number): InputRecord =>
    ({ topic: 'customers', partition: of % partitions, key: `customer${of}`, value: `name${of}#${version}`, timestamp })
  for (let of = 0; of < customers; of++) joined.push(customer(of, 0, startMs + of * 2))
  for (let index = 0; index < orders; index++) {
    // Odd and even: a customer never changes at the moment of an order.
    const timestamp = startMs + customers * 2 + index * 4
    const of = below(customers)
    joined.push({ topic: 'orders', partition: of % partitions, key: `customer${of}`, value: `order${index}`, timestamp: timestamp + 1 })
    if (index % 7 === 0) joined.push(customer(below(customers), index + 1, timestamp + 2))
  }
  return { joined, live }
}

/** By output topic and key, the values in the order in which they have to come. */
export type Answer = ReadonlyMap<string, readonly string[]>

export function answerTo(input: readonly InputRecord[]): Answer {
  const answer = new Map<string, string[]>()
  const push = (topic: string, key: string, value: (before: number) => string) => {
    const name = `${topic} ${key}`
    const values = answer.get(name) ?? []
    answer.set(name, values)
    values.push(value(values.length))
  }
  const count = (before: number) => String(before + 1)
  const names = new Map<string, string>()
  for (const { topic, key, value, timestamp } of input.toSorted((one, other) => one.timestamp - other.timestamp)) {
    if (topic === 'lines') for (const word of value.split(' ')) push('word-counts', word, count)
    else if (topic === 'clicks') push('window-counts', `${key}@${timestamp - (timestamp % windowMs)}`, count)
    else if (topic === 'customers') names.set(key, value)
    else push('joined', key, () => `${value} ${names.get(key)}`)
  }
  return answer
}

/** Where results differ from the answer, one line each. */
export function differences(results: Answer, answer: Answer): string[] {
  const found: string[] = []
  for (const name of new Set([...results.keys(), ...answer.keys()])) {
    const [is, should] = [results.get(name) ?? [], answer.get(name) ?? []]
    const at = should.findIndex((value, index) => is[index] !== value)
    if (at >= 0) found.push(`${name}: ${is[at] ?? 'nothing'} in place of ${should[at]} as value ${at} of ${should.length}`)
    else if (is.length > should.length) found.push(`${name}: ${is.length - should.length} values too many, the first is ${is[should.length]}`)
  }
  return found
}
