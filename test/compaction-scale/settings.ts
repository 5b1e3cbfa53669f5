/** How many updates are written. */
export const recordCount = Number(process.env['LONGTAIL_COMPACTION_RECORDS'] ?? 10_000_000)

/** Over so many keys. */
export const keyCount = Number(process.env['LONGTAIL_COMPACTION_KEYS'] ?? 100_000)

/** Bytes of each value. */
export const valueBytes = 80

/** Which part of the log may stay on the broker's disk. */
export const localPart = 0.04

/** How long tombstones stay after the pass that meets them first, in milliseconds. */
export const deleteRetentionMs = 4000
