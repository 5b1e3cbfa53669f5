import { DiskError } from '../runtime/disk.ts'
import { LogError } from './log-error.ts'

/** Whether a partition's files are to blame, and not the code: the client is told KAFKA_STORAGE_ERROR for that partition. */
export function isStorageFailure(cause: unknown): cause is DiskError | LogError {
  return cause instanceof DiskError || cause instanceof LogError
}

const shortages: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])

/** Whether there was no room on the disk, or no file left to open: that passes. A sync that failed does not, for whatever reason. */
export function isShortage(cause: unknown): boolean {
  return cause instanceof DiskError && shortages.has(cause.code) && cause.operation !== 'sync' && cause.operation !== 'sync directory'
}
