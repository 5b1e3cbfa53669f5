import type { Logger } from './runtime/logger.ts'
import type { TierEvent } from './tier/tier-events.ts'

/** What the tier tells, as lines of the log: what an operator must look at is a warning, the daily work is not. */
export function logTierEvent(logger: Logger, event: TierEvent): void {
  const { kind, ...facts } = event
  const cause = 'error' in facts ? { cause: facts.error } : {}
  switch (kind) {
    case 'claimed':
    case 'uploaded':
    case 'evicted':
    case 'abandoned':
      return logger.debug({ ...facts, ...cause }, `tier: ${kind}`)
    case 'log start advanced':
    case 'retired':
    case 'compacted':
    case 'deleted':
      return logger.info({ ...facts, ...cause }, `tier: ${kind}`)
    default:
      return logger.warn({ ...facts, ...cause }, `tier: ${kind}`)
  }
}
