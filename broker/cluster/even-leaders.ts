/**
 * Makes another of its replicas the first of a partition, where that evens out who leads how many: leadership passes along a
 * chain of brokers, each giving one partition to the next, from one that leads too many to one that leads at least two fewer.
 * What comes of it is as even as the replicas allow. `before`: what brokers lead already.
 */
export function evenLeaders(places: readonly (readonly number[])[], before: ReadonlyMap<number, number>): number[][] {
  const state = { places: places.map((replicas) => [...replicas]), leads: new Map(before), led: new Map<number, Set<number>>() }
  for (const [partition, replicas] of places.entries()) {
    for (const id of replicas) if (!state.led.has(id)) state.led.set(id, new Set())
    state.led.get(replicas[0]!)!.add(partition)
    state.leads.set(replicas[0]!, leadsOf(state, replicas[0]!) + 1)
  }
  while (relieveAll(state));
  return state.places
}

/** False where nobody can give anything any more. */
function relieveAll(state: Leaders): boolean {
  // It only grows, and whoever leads one more than the least can give nothing: most of the time that is everybody.
  const least = Math.min(...Array.from(state.led.keys(), (id) => leadsOf(state, id)))
  let hasGiven = false
  for (const brokerId of state.led.keys()) {
    while (leadsOf(state, brokerId) >= least + 2 && relieve(state, brokerId)) hasGiven = true
  }
  return hasGiven
}

interface Leaders {
  readonly places: number[][]
  readonly leads: Map<number, number>
  /** The partitions among them that a broker leads. */
  readonly led: ReadonlyMap<number, Set<number>>
}

interface Link {
  readonly from: number
  readonly partition: number
}

function leadsOf({ leads }: Leaders, brokerId: number): number {
  return leads.get(brokerId) ?? 0
}

/** The nearest broker that leads at least two fewer gets one of this one's, if there is any. */
function relieve(state: Leaders, brokerId: number): boolean {
  const links = new Map<number, Link>()
  const queue = [brokerId]
  for (const from of queue) {
    for (const partition of state.led.get(from)!) {
      for (const id of state.places[partition]!) {
        if (id === brokerId || links.has(id)) continue
        links.set(id, { from, partition })
        if (leadsOf(state, id) <= leadsOf(state, brokerId) - 2) {
          passAlong(state, links, { from: brokerId, to: id })
          return true
        }
        queue.push(id)
      }
    }
  }
  return false
}

function passAlong(state: Leaders, links: ReadonlyMap<number, Link>, { from, to }: { readonly from: number; readonly to: number }): void {
  for (let id = to; id !== from;) {
    const link = links.get(id)!
    state.places[link.partition] = [id, ...state.places[link.partition]!.filter((other) => other !== id)]
    state.led.get(link.from)!.delete(link.partition)
    state.led.get(id)!.add(link.partition)
    id = link.from
  }
  state.leads.set(from, leadsOf(state, from) - 1)
  state.leads.set(to, leadsOf(state, to) + 1)
}
