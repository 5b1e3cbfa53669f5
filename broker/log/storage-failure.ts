import { DiskError } from '../runtime/disk.ts'
import { LogError } from './log-error.ts'

/** Whether a partition's files are to blame, and not the code: the client is told KAFKA_STORAGE_ERROR for that partition. */
export function isStorageFailure(cause: unknown): cause is DiskError | LogError {
  return cause instanceof DiskError || cause instanceof LogError
}
