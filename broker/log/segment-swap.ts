// Several sealed segments give way to one that compaction has made of them, so that a crash at any point leaves the old ones or
// the new one:
//
//   BASE.cleaned, BASE.cleaned-index    written and synced beside the segments
//   checkpoint.json with `swap`         from here on the new one counts
//   renamed over BASE.log, BASE.index   and the segments behind it that are in it now are removed
//   checkpoint.json without             the new one is on the list of what is sealed
//
// Each step can be done again, so a recovery that finds `swap` does all of them.

import { join } from 'node:path'
import type { Disk } from '../runtime/disk.ts'
import { LogError } from './log-error.ts'
import { segmentName } from './segment.ts'

export interface SegmentSwap {
  /** Of the first of the old segments, and of the new one. */
  readonly baseOffset: number
  /** Exclusive: of the last of the old ones. */
  readonly endOffset: number
  /** Of the new one. */
  readonly bytes: number
}

export function cleanedPath(directory: string, baseOffset: number): string {
  return join(directory, `${stem(baseOffset)}.cleaned`)
}

export function cleanedIndexPath(directory: string, baseOffset: number): string {
  return join(directory, `${stem(baseOffset)}.cleaned-index`)
}

function stem(baseOffset: number): string {
  return segmentName(baseOffset, 'log').slice(0, -'.log'.length)
}

/** Does what is left to do of a swap that counts. Throws `LogError` where the new segment is not what it should be. */
export async function finishSwap(disk: Disk, directory: string, swap: SegmentSwap, all: readonly number[]): Promise<void> {
  const { baseOffset, endOffset, bytes } = swap
  const path = join(directory, segmentName(baseOffset, 'log'))
  const cleaned = cleanedPath(directory, baseOffset)
  const isLeft = (await disk.size(cleaned)) !== undefined
  const size = await disk.size(isLeft ? cleaned : path)
  // Retention may have taken it since, where only the last step could not be done.
  if (size !== undefined && size !== bytes) {
    throw new LogError('quarantined', directory, `the compacted segment at ${baseOffset} has ${size} bytes, and ${bytes} were written`)
  }
  // The index before, so that none of the old segment lies beside the new one; of another size, neither is believed.
  const index = cleanedIndexPath(directory, baseOffset)
  if ((await disk.size(index)) !== undefined) await disk.rename(index, join(directory, segmentName(baseOffset, 'index')))
  if (isLeft) await disk.rename(cleaned, path)
  const inside = all.filter((offset) => offset > baseOffset && offset < endOffset)
  for (const offset of inside) await disk.remove(join(directory, segmentName(offset, 'log')))
  if (inside.length > 0) await disk.syncDirectory(directory)
}

/** Removes what a pass has left that did not come to its swap. */
export async function removeCleaned(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    // An index that was being replaced has a name of its own.
    if (/^\.?\d{20}\.cleaned(-index)?(\.new)?$/.test(name)) await disk.remove(join(directory, name))
  }
}
