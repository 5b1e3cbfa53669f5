// For how long nobody takes a write when the leader goes, as a client sees it that is told of nothing.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inSync } from '../faults/metadata.ts'
import { createTopic } from '../test/support/topic-reader.ts'
import { WireClient } from '../test/support/wire-client.ts'
import { longestGap } from './clients.ts'
import type { ClusterSubject } from './cluster-subject.ts'
import { note, type Samples } from './measurements.ts'

/** Of load before the leader goes, and after it: Kafka believes in a broker that was killed for 9 s. */
const secondsBefore = 3
const secondsAfter = 15
const inSyncMsMax = 60_000

const endings = [['killed', 'SIGKILL'], ['stopped', 'SIGTERM']] as const

export async function measureFailover(subject: ClusterSubject, samples: Samples): Promise<void> {
  for (const [what, signal] of endings) {
    const { name, topicId } = await topicOf(subject)
    const awaited = { topicId, replicas: subject.addresses.length, withinMs: inSyncMsMax }
    const [{ leader }] = await inSync(subject.addresses, awaited)
    const gap = longestGap({ bootstrap: subject.bootstrap, topic: name, seconds: secondsBefore + secondsAfter })
    await sleep(secondsBefore * 1000)
    await subject.end(leader, signal)
    note(samples, `gap ${what}`, await gap)
    await subject.restart(leader)
    await inSync(subject.addresses, awaited)
  }
}

async function topicOf({ addresses }: ClusterSubject): Promise<{ readonly name: string; readonly topicId: string }> {
  const name = `failover-${randomUUID()}`
  const client = await WireClient.connect(addresses[0]!)
  try {
    return { name, topicId: await createTopic(client, { name, partitions: 1 }) }
  } finally {
    client.close()
  }
}
