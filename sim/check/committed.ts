import type { History, OffsetCall } from './history.ts'
import { at, keyOf } from './log-index.ts'
import type { Violation } from './violation.ts'

/**
 * I10: what is committed is the last commit that was acknowledged, or one that may have landed since. Each group has one
 * client here, which does one thing at a time.
 */
export function* checkOffsets(history: History): Generator<Violation> {
  const calls = history.offsets.filter(({ isTransactional }) => isTransactional === undefined).toSorted((one, other) => one.invokedAt - other.invokedAt)
  for (const of of Map.groupBy(calls, (call) => `${call.group}/${keyOf(call)}`).values()) yield* checkRegister(of, history.lateMsMax)
}

function* checkRegister(calls: readonly OffsetCall[], lateMsMax: number): Generator<Violation> {
  /** What may be there: offset, and until when it may still land; Infinity: it is what stands unless another one is. */
  let possible = [{ offset: -1, untilMs: Infinity }]
  for (const call of calls) {
    if (call.kind === 'commit') {
      if (call.outcome === 'fail') continue
      if (call.outcome === 'info') {
        possible.push({ offset: call.offset, untilMs: call.endedAt + lateMsMax })
        continue
      }
      // What was given up before may yet land, for a while; what stood is gone.
      possible = [{ offset: call.offset, untilMs: Infinity }, ...possible.filter(({ untilMs }) => untilMs !== Infinity && untilMs >= call.invokedAt)]
      continue
    }
    if (call.outcome !== 'ok') continue
    if (!possible.some(({ offset }) => offset === call.offset)) {
      const known = [...new Set(possible.map(({ offset }) => offset))].join(' or ')
      yield { rule: 'commit', about: `${call.group}: ${at(call, call.offset)} is committed, where ${known} was due` }
      continue
    }
    // It stands now; others that were given up may land yet.
    possible = [{ offset: call.offset, untilMs: Infinity }, ...possible.filter(({ untilMs }) => untilMs !== Infinity && untilMs >= call.invokedAt)]
  }
}
