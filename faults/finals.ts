// What is there in the end: every partition from its earliest offset as its leader has it, and as each follower in sync has.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import type { FinalLog, History, Listing, LoggedBatch, Sighting } from '../sim/check/history.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { observe } from './metadata.ts'
import { endFrom, fetchFrom, type TopicPlace, type Wanted } from './reads.ts'

const readMsMax = 60_000
const readBytes = 1 << 20

/** Where a broker is reached, past all proxies. */
export type AddressOf = (brokerId: number) => string

export async function readFinals(history: History, places: readonly TopicPlace[], addressOf: AddressOf): Promise<void> {
  for (const place of places) {
    const statesNow = () => observe([1, 2, 3].map(addressOf), place.topicId)
    // Leadership may be given back meanwhile to where it was placed: each try asks whoever leads then.
    const leader: Source = { address: async () => addressOf((await statesNow())[place.partition]?.leader ?? 1), isFollower: false }
    const final = await readLog(leader, place, history.transactions.length > 0)
    history.finals.push(final)
    const state = (await statesNow())[place.partition]!
    for (const broker of state.isr.filter((id) => id !== state.leader)) {
      const { earliest, latest } = final
      const read = await readBetween({ address: async () => addressOf(broker), isFollower: true }, place, { earliest, latest })
      history.replicas.push({ ...final, ...read, broker })
    }
  }
}

/** Who is asked. */
interface Source {
  address(): Promise<string>
  readonly isFollower: boolean
}

async function readLog(source: Source, place: TopicPlace, hasTransactions: boolean): Promise<FinalLog> {
  const { topicId, partition } = place
  const latest = await endOf(source, place, 'latest')
  const earliest = await endOf(source, place, 'earliest')
  const readAt = performance.now()
  const read = await readBetween(source, place, { earliest, latest })
  if (!hasTransactions) return { topicId, partition, readAt, earliest, latest, ...read }
  const end = await endOf(source, place, 'stable')
  const { records } = await readBetween(source, place, { earliest, latest: Math.min(end, latest), isCommittedOnly: true })
  return { topicId, partition, readAt, earliest, latest, ...read, committed: { records, end } }
}

async function endOf(source: Source, place: TopicPlace, which: Listing['which']): Promise<number> {
  return again(`the ${which} offset of ${place.topic}-${place.partition}`, source, async (wire) => {
    const { error, offset } = await endFrom(wire, { ...place, which })
    return error === ErrorCode.NONE ? offset : undefined
  })
}

async function readBetween(
  source: Source, place: TopicPlace, of: Pick<FinalLog, 'earliest' | 'latest'> & Pick<Wanted, 'isCommittedOnly'>,
): Promise<{ records: Sighting[]; batches: LoggedBatch[] }> {
  const [records, batches]: [Sighting[], LoggedBatch[]] = [[], []]
  for (let offset = of.earliest; offset < of.latest;) {
    const who = { isFromFollower: source.isFollower, ...(of.isCommittedOnly === undefined ? {} : { isCommittedOnly: of.isCommittedOnly }) }
    const found = await again(`${place.topic}-${place.partition} from ${offset} on`, source, async (wire) => {
      const fetched = await fetchFrom(wire, place, { offset, bytesMax: readBytes, waitMs: 500, ...who })
      return fetched.error === ErrorCode.NONE && fetched.next > offset ? fetched : undefined
    })
    records.push(...found.records.filter((record) => record.offset < of.latest))
    batches.push(...found.batches.filter(({ baseOffset }) => baseOffset >= offset && baseOffset < of.latest))
    offset = found.next
  }
  return { records, batches }
}

const wires = new Map<string, WireClient>()

/** Until there is an answer; what cannot be read in the end is lost. */
async function again<T>(what: string, source: Source, ask: (wire: WireClient) => Promise<T | undefined>): Promise<T> {
  for (const until = performance.now() + readMsMax; performance.now() < until; await sleep(100)) {
    const address = await source.address()
    try {
      const known = wires.get(address)
      const wire = known === undefined || known.isLost ? await WireClient.connect(address, 'finals') : known
      wires.set(address, wire)
      const answer = await ask(wire)
      if (answer !== undefined) return answer
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== 'ConnectionLost') throw cause
    }
  }
  throw new Error(`${what} could not be read`)
}

export function hangUpFinals(): void {
  for (const wire of wires.values()) wire.close()
  wires.clear()
}
