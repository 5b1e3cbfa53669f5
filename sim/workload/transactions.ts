// Who works with transactions and with compacted topics, where a run has them.

import type { RunOptions } from '../options.ts'
import type { Actor } from './actor.ts'
import type { Client } from './client.ts'
import { Consumer } from './consumer.ts'
import { Loop } from './loop.ts'
import { Producer } from './producer.ts'
import type { WantedTopic } from './topics.ts'
import type { Topical } from './transactor.ts'

/** Milliseconds after which coordinators abort what is open. */
export const transactionTimeoutMs = 8_000

/** As long as a deletion stays readable, so that some are gone before a run ends. */
const deleteRetentionMs = 12_000
const keys = 12

/** Two with the same name: each fences the other one. The third is a client from before KIP-890. */
const loops = [
  { name: 'loop-0', transactionalId: 'loop', group: 'loop', isOld: false },
  { name: 'loop-1', transactionalId: 'loop', group: 'loop', isOld: false },
  { name: 'old-loop', transactionalId: 'old', group: 'old', isOld: true },
]

export const groups = ['loop', 'old']

export function topicsOf({ hasTransactions, compacted }: RunOptions, small: Readonly<Record<string, string>>): WantedTopic[] {
  return [
    ...(hasTransactions ? [{ name: 'outcome', partitions: 2, configs: { ...small, 'retention.ms': '-1', 'local.retention.ms': '5000' } }] : []),
    ...(compacted !== 'none' ? [{ name: 'table', partitions: 1, configs: {
      ...small, 'retention.ms': '-1', 'local.retention.ms': '5000', 'cleanup.policy': 'compact', 'delete.retention.ms': String(deleteRetentionMs),
      'min.cleanable.dirty.ratio': '0.1', 'remote.storage.enable': String(compacted === 'tiered'),
    } }] : []),
  ]
}

/** Of all clients. */
export function namesOf({ hasTransactions, compacted }: RunOptions): string[] {
  return [
    ...(hasTransactions ? [...loops.map(({ name }) => name), 'committed-0', 'committed-1', 'committed-history'] : []),
    ...(compacted !== 'none' ? ['keeper', 'table-tail', 'table-history'] : []),
  ]
}

export interface Stage {
  readonly options: RunOptions
  /** Of the topics of `topicsOf`, and the one that transactions consume. */
  readonly places: readonly Topical[]
  client(name: string): Client
}

export function actorsOf({ options, places, client }: Stage): Actor[] {
  const { hasTransactions, compacted, fillerBytesMax, thinkMs, inFlightMax } = options
  const of = (topic: string): Topical[] => places.filter((place) => place.topic === topic)
  const [source, outputs, table] = [of('plain')[0]!, of('outcome'), of('table')[0]]
  const actors: Actor[] = []
  if (hasTransactions) {
    for (const { name, ...loop } of loops) {
      actors.push(new Loop(client(name), { ...loop, timeoutMs: transactionTimeoutMs, source, outputs, table, fillerBytesMax, thinkMs }))
    }
    const reading = { topic: 'outcome', isCommittedOnly: true }
    outputs.forEach((place, index) => actors.push(new Consumer(client(`committed-${index}`), { ...reading, place, rereads: false, thinkMs: 50 })))
    actors.push(new Consumer(client('committed-history'), { ...reading, place: outputs[0]!, rereads: true, thinkMs: 150 }))
  }
  if (compacted !== 'none') {
    const reading = { place: table!, topic: 'table' }
    actors.push(
      new Producer(client('keeper'), { place: table!, isIdempotent: true, recordsMax: 4, fillerBytesMax, thinkMs, inFlightMax, keys }),
      new Consumer(client('table-tail'), { ...reading, rereads: false, thinkMs: 50 }),
      new Consumer(client('table-history'), { ...reading, rereads: true, thinkMs: 150, isCommittedOnly: hasTransactions }),
    )
  }
  return actors
}
