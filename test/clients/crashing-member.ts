// A member of a group in a process of its own, so that it can crash as processes do: no goodbye, no last commit.
//
//   node test/clients/crashing-member.ts LIBRARY BOOTSTRAP GROUP TOPIC
//
// It prints one line of JSON per change of its assignment and per record.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setInterval } from 'node:timers'
import { fileURLToPath } from 'node:url'
import type { ClientLibrary, CrashingMember, MemberOptions, ReceivedRecord } from '../cases/client.cases.ts'
import { kafkajsClient } from './kafkajs-client.ts'
import { platformaticClient } from './platformatic-client.ts'

export async function crashingMember(
  library: string,
  bootstrap: string,
  { group, topic, onRecord }: MemberOptions,
): Promise<CrashingMember> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), library, bootstrap, group, topic], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let partitions: readonly number[] | undefined
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return
    const said = JSON.parse(line) as { partitions?: number[]; record?: ReceivedRecord }
    if (said.record !== undefined) onRecord(said.record)
    else partitions = said.partitions
  })
  return {
    get partitions() {
      return partitions
    },
    crash: () => void child.kill('SIGKILL'),
  }
}

export function libraryNamed(name: string, bootstrap: string): ClientLibrary {
  switch (name) {
    case 'kafkajs':
      return kafkajsClient(bootstrap)
    case 'platformatic':
      return platformaticClient(bootstrap, 'classic')
    case 'platformatic-consumer':
      return platformaticClient(bootstrap, 'consumer')
    default:
      throw new TypeError(`no library is called ${name}`)
  }
}

if (import.meta.main) {
  const [name, bootstrap, group, topic] = process.argv.slice(2) as [string, string, string, string]
  const say = (what: object) => console.log(JSON.stringify(what))
  const member = await libraryNamed(name, bootstrap).join({
    group,
    topic,
    sessionTimeoutMs: 6000,
    onRecord: (record) => say({ record }),
  })
  let last = ''
  setInterval(() => {
    const now = JSON.stringify({ partitions: member.partitions })
    if (now !== last) console.log((last = now))
  }, 50)
}
