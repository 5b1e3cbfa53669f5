// What is found of a steady client (steady-client.ts): whether it got exactly what it was promised, and how long it waited.

import type { Acked, Read, SteadyClient } from './steady-client.ts'

/** Times in ms. Of writes that end within a phase. */
export interface Waits {
  readonly count: number
  /** Between two acknowledgements of a partition. */
  readonly gapMedianMs: number
  readonly gapMsMax: number
  /** From sending to acknowledgement. */
  readonly ackMedianMs: number
  readonly ackMsMax: number
  /** Between two records of a partition that were read. */
  readonly readGapMsMax: number
}

export interface Phase {
  readonly start: number
  readonly end: number
}

export function waitsOf({ acked, reads }: Pick<SteadyClient, 'acked' | 'reads'>, { start, end }: Phase): Waits {
  const isWithin = (at: number) => at >= start && at < end
  const gaps = gapsOf(acked.map(({ partition, ackedAt: at }) => ({ partition, at })), isWithin)
  const acks = acked.filter(({ ackedAt }) => isWithin(ackedAt)).map(({ sentAt, ackedAt }) => ackedAt - sentAt)
  acks.sort((one, other) => one - other)
  return {
    count: acks.length, gapMedianMs: median(gaps), gapMsMax: gaps.at(-1) ?? 0, ackMedianMs: median(acks), ackMsMax: acks.at(-1) ?? 0,
    readGapMsMax: gapsOf(reads, isWithin).at(-1) ?? 0,
  }
}

/** Ascending. Records that came together have no gap between them, and say nothing. */
function gapsOf(events: readonly { readonly partition: number; readonly at: number }[], isWithin: (at: number) => boolean): number[] {
  const last = new Map<number, number>()
  const gaps: number[] = []
  for (const { partition, at } of events) {
    const before = last.get(partition)
    last.set(partition, at)
    if (before !== undefined && at > before && isWithin(at)) gaps.push(at - before)
  }
  return gaps.sort((one, other) => one - other)
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Everything that is not as it was promised, in words. */
export function brokenPromises({ acked, reads, errors }: Pick<SteadyClient, 'acked' | 'reads' | 'errors'>): string[] {
  const byPartition = Map.groupBy(reads, ({ partition }) => partition)
  const ackedByPartition = Map.groupBy(acked, ({ partition }) => partition)
  return [
    ...errors,
    ...[...byPartition.values()].flatMap(readsOutOfOrder),
    ...[...ackedByPartition].flatMap(([partition, records]) => notRead(records, byPartition.get(partition) ?? [])),
  ]
}

/**
 * Offset follows offset and number follows number. A consumer may only step back where partitions were given out anew since
 * it last read: to what was committed, which is behind what was read.
 */
function readsOutOfOrder(reads: readonly Read[]): string[] {
  const broken: string[] = []
  let before: Read | undefined
  for (const read of reads) {
    const { partition, offset, number, assignments } = read
    const isAgain = before !== undefined && offset <= before.offset
    const mayStepBack = isAgain && assignments !== before!.assignments
    if (!mayStepBack && offset !== (before?.offset ?? -1) + 1) broken.push(`${partition}: after offset ${before?.offset} came ${offset}`)
    // Where nothing is transactional, a record that is written once has its number as its offset.
    if (number !== offset) broken.push(`${partition}: offset ${offset} has number ${number}: written twice, lost, or out of order`)
    before = read
  }
  return broken.slice(0, 20)
}

function notRead(acked: readonly Acked[], reads: readonly Read[]): string[] {
  const found = new Map(reads.map(({ offset, number }) => [offset, number]))
  return acked
    .filter(({ number, offset }) => found.get(offset) !== number)
    .slice(0, 20)
    .map(({ partition, number, offset }) => `${partition}: number ${number}, acknowledged at offset ${offset}, is not read there`)
}

/** Reads of a record that was read before. */
export function readAgain({ reads }: SteadyClient): number {
  return reads.length - new Set(reads.map(({ partition, offset }) => `${partition}/${offset}`)).size
}
