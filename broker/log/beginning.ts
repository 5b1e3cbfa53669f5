import { decodeChecked } from './checked-file.ts'
import type { EpochStart } from './epoch-cache.ts'
import { LogError } from './log-error.ts'
import type { Checkpoint } from './log-files.ts'

type Fresh = NonNullable<Checkpoint['fresh']>

/** What a log begins with that has nothing of its own before its start. */
export interface Beginning {
  readonly epochs: readonly EpochStart[]
  /** As in `SegmentSections`; undefined: none are known. */
  readonly producers: Buffer | undefined
  /** The first offset that can be read, from wherever it is; not above the offset that the log begins at. */
  readonly logStartOffset: number
}

/** As the checkpoint has it. Throws `LogError` where the producers cannot be read. */
export function freshOf({ epochs, producers, logStartOffset }: Beginning, directory: string): Fresh {
  const decoded = producers === undefined ? { value: [] } : decodeChecked<Fresh['producers']>(producers)
  if (decoded === undefined) throw new LogError('damaged', directory, 'the producers to begin with are damaged')
  return { epochs, producers: decoded.value, logStartOffset }
}
