import type { Consumed, History, OffsetCall, Place } from './history.ts'
import { at, keyOf } from './log-index.ts'
import type { TransactionIndex } from './transaction-index.ts'
import type { Violation } from './violation.ts'

/**
 * I10, I11: what transactions consume with their commit follows on each other: no input counts twice, none is left out, and the
 * offsets that are committed say so. However many there are under one transactional id, and whoever of them took over.
 */
export function* checkConsumed(history: History, ends: TransactionIndex): Generator<Violation> {
  const chains = new Map<string, Step[]>()
  for (const transaction of history.transactions) {
    const { consumed, outcome, endedAt, name } = transaction
    if (consumed === undefined || ends.endOf(transaction) !== 'commit') continue
    const known = chains.get(chainOf(consumed))
    const step = { ...consumed, name, toldAt: outcome === 'ok' ? endedAt : Infinity }
    if (known === undefined) chains.set(chainOf(consumed), [step])
    else known.push(step)
  }
  for (const chain of chains.values()) yield* checkChain(chain.sort((one, other) => one.from - other.from || one.to - other.to))
  const looks = history.offsets.filter(({ kind, outcome, isTransactional }) => isTransactional === true && kind === 'fetch' && outcome === 'ok')
  for (const look of looks) yield* checkLook(look, chains.get(chainOf(look)) ?? [])
  for (const last of lastOf(looks)) {
    const end = chains.get(chainOf(last))?.at(-1)?.to ?? -1
    if (last.offset !== end) yield { rule: 'torn', about: `${last.group}: ${at(last, last.offset)} is committed in the end, and records of up to ${end}` }
  }
}

interface Step extends Consumed {
  readonly name: string
  /** When its commit was acknowledged; Infinity: never. */
  readonly toldAt: number
}

const chainOf = (of: Place & { readonly group: string }): string => `${of.group}/${keyOf(of)}`

function* checkChain(chain: readonly Step[]): Generator<Violation> {
  let due = 0
  for (const step of chain) {
    const { name, from, to, group } = step
    if (from < due) yield { rule: 'torn', about: `${group}: ${at(step, from)} to ${to} count once more with ${name}, and counted up to ${due}` }
    if (from > due) yield { rule: 'torn', about: `${group}: ${at(step, due)} to ${from} never count; ${name} goes on behind them` }
    due = Math.max(due, to)
  }
}

/** What is committed is the end of a committed transaction, and not older than what was acknowledged before. */
function* checkLook(look: OffsetCall, chain: readonly Step[]): Generator<Violation> {
  const { group, offset, invokedAt } = look
  if (offset >= 0 && !chain.some(({ to }) => to === offset)) {
    yield { rule: 'torn', about: `${group}: ${at(look, offset)} was committed, which no committed transaction says` }
  }
  const due = chain.filter(({ toldAt }) => toldAt < invokedAt).reduce((end, { to }) => Math.max(end, to), -1)
  if (offset < due) yield { rule: 'commit', about: `${group}: ${at(look, offset)} is committed, after ${due} was acknowledged` }
}

function lastOf(looks: readonly OffsetCall[]): OffsetCall[] {
  const last = new Map<string, OffsetCall>()
  for (const look of looks) if (look.invokedAt >= (last.get(chainOf(look))?.invokedAt ?? -1)) last.set(chainOf(look), look)
  return [...last.values()]
}
