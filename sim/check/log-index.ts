import { type FinalLog, type History, type Place, placeName } from './history.ts'

/** What is in the logs in the end, to be looked up by place and by value. */
export class LogIndex {
  /** Value by offset. */
  readonly #logs = new Map<string, Map<number, string>>()
  readonly #earliest = new Map<string, number>()
  readonly #latest = new Map<string, number>()
  /** Where a value is. */
  readonly #places = new Map<string, { readonly place: string; readonly offset: number }[]>()
  readonly #epochs = new Map<string, { readonly baseOffset: number; readonly leaderEpoch: number }[]>()
  readonly #compacted: ReadonlySet<string>
  /** Offsets of markers, which nobody is shown. */
  readonly #markers = new Map<string, Set<number>>()

  constructor(history: History) {
    this.#compacted = new Set(history.topics.filter(({ deleteRetentionMs }) => deleteRetentionMs !== undefined).map(({ topicId }) => topicId))
    for (const final of history.finals) {
      const place = keyOf(final)
      this.#logs.set(place, new Map(final.records.map(({ offset, value }) => [offset, value])))
      this.#earliest.set(place, final.earliest)
      this.#latest.set(place, final.latest)
      this.#epochs.set(place, [...final.batches])
      this.#markers.set(place, markersOf(final))
      for (const { offset, value } of final.records) {
        const known = this.#places.get(value)
        if (known === undefined) this.#places.set(value, [{ place, offset }])
        else known.push({ place, offset })
      }
    }
  }

  /** Records of it may go once there are newer ones of their keys. */
  isCompacted({ topicId }: Place): boolean {
    return this.#compacted.has(topicId)
  }

  isMarker(of: Place, offset: number): boolean {
    return this.#markers.get(keyOf(of))?.has(offset) === true
  }

  /** Whether the partition was read in the end; those of deleted topics are not. */
  has(of: Place): boolean {
    return this.#logs.has(keyOf(of))
  }

  earliest(of: Place): number {
    return this.#earliest.get(keyOf(of)) ?? 0
  }

  valueAt(of: Place, offset: number): string | undefined {
    return this.#logs.get(keyOf(of))?.get(offset)
  }

  placesOf(value: string): readonly { readonly place: string; readonly offset: number }[] {
    return this.#places.get(value) ?? []
  }

  epochAt(of: Place, offset: number): number | undefined {
    return this.#epochs.get(keyOf(of))?.findLast(({ baseOffset }) => baseOffset <= offset)?.leaderEpoch
  }
}

export function markersOf({ batches }: Pick<FinalLog, 'batches'>): Set<number> {
  return new Set(batches.filter(({ marker }) => marker !== undefined).map(({ baseOffset }) => baseOffset))
}

export function keyOf({ topicId, partition }: Place): string {
  return `${topicId}/${partition}`
}

export const at = (of: Place, offset: number): string => `${placeName(of)}@${offset}`
