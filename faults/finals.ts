// What is there in the end: every partition from its earliest offset as its leader has it, and as each follower in sync has.

import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../broker/protocol/error-code.ts'
import type { FinalLog, History, LoggedBatch, Sighting } from '../sim/check/history.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { observe } from './metadata.ts'
import { endFrom, fetchFrom, type TopicPlace } from './reads.ts'

const readMsMax = 60_000
const readBytes = 1 << 20

/** Where a broker is reached, past all proxies. */
export type AddressOf = (brokerId: number) => string

export async function readFinals(history: History, places: readonly TopicPlace[], addressOf: AddressOf): Promise<void> {
  const statesNow = () => observe([1, 2, 3].map(addressOf), places[0]!.topicId)
  for (const place of places) {
    // Leadership may be given back meanwhile to where it was placed: each try asks whoever leads then.
    const leader: Source = { address: async () => addressOf((await statesNow())[place.partition]?.leader ?? 1), isFollower: false }
    const final = await readLog(leader, place)
    history.finals.push(final)
    const state = (await statesNow())[place.partition]!
    for (const broker of state.isr.filter((id) => id !== state.leader)) {
      const read = await readBetween({ address: async () => addressOf(broker), isFollower: true }, place, final)
      history.replicas.push({ ...final, ...read, broker })
    }
  }
}

/** Who is asked. */
interface Source {
  address(): Promise<string>
  readonly isFollower: boolean
}

async function readLog(source: Source, place: TopicPlace): Promise<FinalLog> {
  const { topicId, partition } = place
  const latest = await endOf(source, place, 'latest')
  const earliest = await endOf(source, place, 'earliest')
  const readAt = performance.now()
  return { topicId, partition, readAt, earliest, latest, ...(await readBetween(source, place, { earliest, latest })) }
}

async function endOf(source: Source, place: TopicPlace, which: 'earliest' | 'latest'): Promise<number> {
  return again(`the ${which} offset of ${place.topic}-${place.partition}`, source, async (wire) => {
    const { error, offset } = await endFrom(wire, { ...place, which })
    return error === ErrorCode.NONE ? offset : undefined
  })
}

async function readBetween(
  source: Source, place: TopicPlace, of: { readonly earliest: number; readonly latest: number },
): Promise<{ records: Sighting[]; batches: LoggedBatch[] }> {
  const [records, batches]: [Sighting[], LoggedBatch[]] = [[], []]
  for (let offset = of.earliest; offset < of.latest;) {
    const isFromFollower = source.isFollower
    const found = await again(`${place.topic}-${place.partition} from ${offset} on`, source, async (wire) => {
      const fetched = await fetchFrom(wire, place, { offset, bytesMax: readBytes, waitMs: 500, isFromFollower })
      return fetched.error === ErrorCode.NONE && fetched.records.length > 0 ? fetched : undefined
    })
    records.push(...found.records.filter((record) => record.offset < of.latest))
    batches.push(...found.batches.filter(({ baseOffset }) => baseOffset >= offset && baseOffset < of.latest))
    offset = found.records.at(-1)!.offset + 1
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
