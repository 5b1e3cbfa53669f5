// What consume-transform-produce under kills must have left behind, from the record of what clients were told and from what
// read_committed clients see. It knows neither brokers nor clients, so that broken histories can be given to it.
//
// Every output record's value is `TOKEN INDEX SIZE SOURCE`: the transaction, the record's place among its SIZE records, and
// the input it was made of (`PARTITION:OFFSET`), or `-` for the one that only marks the transaction's end.

export interface OutputRecord {
  readonly partition: number
  readonly value: string
}

export interface TransactionHistory {
  /** Records that each input partition holds, from offset 0 on, by `TOPIC-PARTITION`. */
  readonly inputs: ReadonlyMap<string, number>
  /** Input topic that a client's tokens begin with. */
  readonly topicOf: (token: string) => string
  /** Tokens of transactions whose commit a client was told of. */
  readonly committed: ReadonlySet<string>
  /** Those that a client aborted, or left. */
  readonly aborted: ReadonlySet<string>
  /** What is seen in each partition, in order. */
  readonly output: readonly OutputRecord[]
}

export interface Verdict {
  readonly transactions: number
  /** One line for each broken promise. */
  readonly violations: readonly string[]
}

interface Parsed {
  readonly token: string
  readonly index: number
  readonly size: number
  /** Undefined for the record that marks the end. */
  readonly source: { readonly partition: number; readonly offset: number } | undefined
}

export function parse(value: string): Parsed | undefined {
  const found = /^(\S+) (\d+) (\d+) (?:-|(\d+):(\d+))$/.exec(value)
  if (found === null) return undefined
  const [, token, index, size, partition, offset] = found
  const source = partition === undefined ? undefined : { partition: Number(partition), offset: Number(offset) }
  return { token: token!, index: Number(index), size: Number(size), source }
}

interface Seen {
  readonly indices: number[]
  readonly partitions: Set<number>
  readonly size: number
}

export function judge(history: TransactionHistory): Verdict {
  const violations: string[] = []
  const transactions = new Map<string, Seen>()
  const made = new Map<string, number>()
  /** Last offset of an input partition that was seen in an output partition. */
  const lastOf = new Map<string, number>()
  for (const { partition, value } of history.output) {
    const record = parse(value)
    if (record === undefined) {
      violations.push(`foreign: '${value}' in partition ${partition}`)
      continue
    }
    const { token, index, size, source } = record
    const seen = transactions.get(token) ?? { indices: [], partitions: new Set<number>(), size }
    transactions.set(token, seen)
    seen.indices.push(index)
    seen.partitions.add(partition)
    if (seen.size !== size) violations.push(`torn: ${token} is of ${seen.size} and of ${size} records`)
    if (source === undefined) continue
    const input = `${history.topicOf(token)}-${source.partition}`
    const name = `${input}@${source.offset}`
    made.set(name, (made.get(name) ?? 0) + 1)
    const last = lastOf.get(`${input}>${partition}`) ?? -1
    if (source.offset < last) violations.push(`reordered: ${name} behind ${last} in partition ${partition}`)
    lastOf.set(`${input}>${partition}`, source.offset)
  }
  return { transactions: transactions.size, violations: [...violations, ...ofTransactions(transactions, history), ...ofInputs(made, history)] }
}

function ofTransactions(transactions: ReadonlyMap<string, Seen>, { committed, aborted }: TransactionHistory): string[] {
  const violations: string[] = []
  for (const [token, { indices, partitions, size }] of transactions) {
    const isWhole = indices.length === size && new Set(indices).size === size && indices.every((index) => index < size)
    if (!isWhole) violations.push(`torn: ${token} has ${indices.toSorted((one, other) => one - other).join(',')} of ${size} records`)
    else if (partitions.size < 2) violations.push(`narrow: ${token} is in one partition only and shows nothing`)
    if (aborted.has(token)) violations.push(`aborted and seen: ${token}`)
  }
  for (const token of committed) if (!transactions.has(token)) violations.push(`committed and not seen: ${token}`)
  return violations
}

function ofInputs(made: ReadonlyMap<string, number>, { inputs }: TransactionHistory): string[] {
  const violations: string[] = []
  let expected = 0
  for (const [input, count] of inputs) {
    expected += count
    for (let offset = 0; offset < count; offset++) {
      const times = made.get(`${input}@${offset}`) ?? 0
      if (times !== 1) violations.push(`${times === 0 ? 'lost' : `made ${times} times`}: ${input}@${offset}`)
    }
  }
  const known = [...inputs].reduce((sum, [input, count]) => sum + [...Array(count).keys()].filter((offset) => made.has(`${input}@${offset}`)).length, 0)
  if (made.size > known) violations.push(`${made.size - known} of ${expected} inputs were made of what was never there`)
  return violations
}
