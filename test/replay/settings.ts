const MiB = 2 ** 20

/** How much is written, in bytes. */
export const historyBytes = Number(process.env['LONGTAIL_REPLAY_MIB'] ?? 2048) * MiB

/** How much of it stays on the broker's disk, in bytes. */
export const localBytes = Number(process.env['LONGTAIL_REPLAY_LOCAL_MIB'] ?? 64) * MiB

/** How much slower produce may be at its 99th percentile while eight consumers replay. */
export const slowdownMax = Number(process.env['LONGTAIL_REPLAY_SLOWDOWN'] ?? 1.25)

/** Of each window in which produce is timed, in seconds. */
export const windowSeconds = Number(process.env['LONGTAIL_REPLAY_WINDOW'] ?? 5)

/** How many windows there are with readers, and how many without. */
export const windows = 9
