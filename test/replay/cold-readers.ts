// Eight consumers that read old records from the beginning, over and over, in a process of their own, so that only the
// broker is between them and the producer that is timed.
//
//   node test/replay/cold-readers.ts BOOTSTRAP TOPIC_ID PARTITIONS END_OFFSET
//
// Consumers are on machines of their own: here they take the processors that the broker and the producer leave free.
// Says how many bytes they have read, a line per second.

import { setPriority } from 'node:os'
import { batchesIn } from '../../broker/protocol/record-batch.ts'
import { fetchOnce } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'

const [bootstrap, topicId, partitions, end] = process.argv.slice(2) as [string, string, string, string]
const readers = 8
setPriority(19)
let bytes = 0

async function read(reader: number): Promise<never> {
  const client = await WireClient.connect(bootstrap, `replay-${reader}`)
  const partition = reader % Number(partitions)
  // They do not start together, or one would read for all of them.
  for (let offset = Math.floor((Number(end) * reader) / readers); ; ) {
    const { records } = await fetchOnce(client, { topicId, partition, offset, bytesMax: 1 << 20 })
    for (const batch of batchesIn(records)) offset = batch.endOffset
    bytes += records.length
    if (offset >= Number(end)) offset = 0
  }
}

setInterval(() => console.log(bytes), 1000)
await Promise.all(Array.from({ length: readers }, (_, reader) => read(reader)))
