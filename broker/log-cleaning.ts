// Compaction of local logs, as a broker sets it up: its settings, its logs, and what it says of it.

import type { BrokerConfig } from './cluster/broker-config.ts'
import type { CleanedLog, CleanerEvent, CleanerSettings } from './compaction/log-cleaner.ts'
import type { Partition } from './replication/partition.ts'
import type { Logger } from './runtime/logger.ts'

export function cleanerSettings(config: BrokerConfig): CleanerSettings {
  const bytesPerSecond = config.number('log.cleaner.io.max.bytes.per.second')
  return {
    mapBytesMax: config.number('log.cleaner.dedupe.buffer.size'), bytesPerSecond: bytesPerSecond >= 2 ** 53 ? Infinity : bytesPerSecond,
    backoffMs: config.number('log.cleaner.backoff.ms'),
  }
}

/** Every replica compacts its own log, up to what all of those in sync have. */
export function cleanedLog({ topicName, partition, log, highWatermark }: Partition): CleanedLog {
  return { topicName, partition, log, config: log.compaction.config, stableOffset: log.lastStableOffset(highWatermark) }
}

/** What the cleaner tells, as lines of the log: what an operator must look at is a warning, the daily work is not. */
export function logCleanerEvent(logger: Logger, { kind, ...facts }: CleanerEvent): void {
  switch (kind) {
    case 'cleaned': return logger.info(facts, 'a log was compacted')
    case 'progress': return logger.info(facts, 'a log is being compacted')
    case 'ended': return logger.debug(facts, 'a compaction was given up')
    case 'failed': return logger.warn(facts, 'a log could not be compacted')
  }
}
