// The brokers that may take a replica of one topic, kept in the order in which they are to: racks by what they have of the
// topic for each of their brokers, and in a rack the broker with the fewest of the topic, then of all topics. To choose one
// is to look at the front: what that takes does not grow with the number of brokers, which is more than a thousand times
// ten thousand partitions otherwise.

export interface Candidate {
  readonly brokerId: number
  readonly rack: string
  /** Replicas of all topics, and partitions that it leads where everything is as it should be. */
  replicas: number
  leads: number
}

/** Brokers that are as good as each other, and looked at before one of them is chosen. */
const tiesMax = 16

interface Place {
  readonly candidate: Candidate
  /** Replicas of the topic. */
  replicas: number
}

interface Rack {
  readonly name: string
  /** The first of them is the next. */
  readonly places: Place[]
  replicas: number
}

export class CandidateOrder {
  /** The first of them is the next. */
  readonly #racks: Rack[]
  #looks = 0

  /** `replicas`: how many each broker has of the topic. */
  constructor(candidates: readonly Candidate[], replicas: ReadonlyMap<number, number>) {
    const racks = new Map<string, Rack>()
    for (const candidate of candidates) {
      let rack = racks.get(candidate.rack)
      if (rack === undefined) racks.set(candidate.rack, (rack = { name: candidate.rack, places: [], replicas: 0 }))
      const place = { candidate, replicas: replicas.get(candidate.brokerId) ?? 0 }
      rack.places.push(place)
      rack.replicas += place.replicas
    }
    for (const { places } of racks.values()) places.sort(byPlace)
    this.#racks = [...racks.values()].sort(byRack)
  }

  /** Brokers that were looked at so far: what all this work grows with. */
  get looks(): number {
    return this.#looks
  }

  /** The next broker beside those chosen; of several that are as good, the one with the smallest `tie`, which is 0 or more. */
  next(chosen: readonly Candidate[], tie: (one: Candidate) => number): Candidate {
    let front: Front | undefined
    for (const rack of this.#racks) {
      this.#looks++
      let has = 0
      for (const one of chosen) if (one.rack === rack.name) has++
      if (has === rack.places.length || (front !== undefined && has > front.has)) continue
      if (front === undefined || has < front.has) front = { has, load: loadOf(rack), ties: 0, least: Infinity, place: undefined }
      // No rack can have fewer of the partition than none, and those that follow have no less of the topic.
      else if (front.has === 0 && (loadOf(rack) > front.load || isDecided(front))) break
      else if (loadOf(rack) > front.load) continue
      this.#look(front, rack.places, { chosen, tie })
    }
    return front!.place!.candidate
  }

  #look(
    front: Front, places: readonly Place[], by: { readonly chosen: readonly Candidate[]; readonly tie: (one: Candidate) => number },
  ): void {
    for (const place of places) {
      this.#looks++
      if (by.chosen.includes(place.candidate)) continue
      const isBehind = front.place === undefined ? -1 : byPlace(place, front.place)
      if (isBehind > 0) return
      if (isBehind < 0) [front.ties, front.least] = [0, Infinity]
      front.ties++
      const tie = by.tie(place.candidate)
      if (tie < front.least) [front.least, front.place] = [tie, place]
      if (isDecided(front)) return
    }
  }

  /** Each of them has one more of the topic. */
  take(chosen: readonly Candidate[]): void {
    for (const candidate of chosen) {
      const at = this.#racks.findIndex(({ name }) => name === candidate.rack)
      const rack = this.#racks[at]!
      const [place] = rack.places.splice(rack.places.findIndex((one) => one.candidate === candidate), 1)
      candidate.replicas++
      place!.replicas++
      insert(rack.places, place!, byPlace)
      this.#racks.splice(at, 1)
      rack.replicas++
      insert(this.#racks, rack, byRack)
    }
  }
}

/** The best of those that were looked at. */
interface Front {
  /** Replicas of the partition, and of the topic for each broker, in the racks that are looked at. */
  readonly has: number
  readonly load: number
  ties: number
  /** The smallest `tie`, and whose it is. */
  least: number
  place: Place | undefined
}

function isDecided({ ties, least }: Front): boolean {
  return least === 0 || ties >= tiesMax
}

function loadOf({ replicas, places }: Rack): number {
  return replicas / places.length
}

function byPlace(one: Place, other: Place): number {
  return one.replicas - other.replicas || one.candidate.replicas - other.candidate.replicas
}

function byRack(one: Rack, other: Rack): number {
  return loadOf(one) - loadOf(other) || byPlace(one.places[0]!, other.places[0]!)
}

/** Behind those that are equal: whoever waits longest comes first. */
function insert<T>(sorted: T[], item: T, compare: (one: T, other: T) => number): void {
  let [start, end] = [0, sorted.length]
  while (start < end) {
    const middle = (start + end) >>> 1
    if (compare(sorted[middle]!, item) <= 0) start = middle + 1
    else end = middle
  }
  sorted.splice(start, 0, item)
}
