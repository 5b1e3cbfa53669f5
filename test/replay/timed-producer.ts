// A producer whose requests are timed, in a process of its own: what the test itself has in memory is not collected between them.
//
//   node test/replay/timed-producer.ts BOOTSTRAP TOPIC_ID
//
// For each line with a number of seconds on its input it writes for so long, one batch of 1 KiB every 2 ms, and answers with the
// 99th percentile in milliseconds: of the time from when a batch was due, and not from when the last one was done.

import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { produceApi } from '../../broker/protocol/messages/produce.ts'
import { recordBatch } from '../support/record-batches.ts'
import { WireClient } from '../support/wire-client.ts'

const [bootstrap, topicId] = process.argv.slice(2) as [string, string]
const everyMs = 2
const client = await WireClient.connect(bootstrap, 'timed')
const records = [recordBatch([{ value: Buffer.alloc(1024, 'x') }])]

async function timed(seconds: number): Promise<number[]> {
  const times: number[] = []
  const under: Promise<void>[] = []
  const start = performance.now()
  for (let index = 0; index < (seconds * 1000) / everyMs; index++) {
    const due = start + index * everyMs
    const wait = due - performance.now()
    if (wait > 1) await sleep(wait)
    const call = client.call(produceApi, {
      acks: -1, timeoutMs: 30_000, topicData: [{ topicId, name: '', partitionData: [{ index: 0, records }] }],
    })
    under.push(call.then(({ responses }) => {
      const { errorCode } = responses[0]!.partitionResponses[0]!
      if (errorCode !== ErrorCode.NONE) throw new Error(`produce was refused: error ${errorCode}`)
      times.push(performance.now() - due)
    }))
  }
  await Promise.all(under)
  return times.sort((one, other) => one - other)
}

for await (const line of createInterface({ input: process.stdin })) {
  const times = await timed(Number(line))
  console.log(times[Math.floor(times.length * 0.99)])
}
client.close()
