import { textOf } from './event.ts'
import type { Violation } from './explore.ts'
import { highWatermark } from './replica.ts'
import { partitionOf } from './metadata.ts'
import { epochOf, valueOf, type World } from './world.ts'

/** A way to a violation, event by event, each with the world that it led to. */
export function linesOf({ steps }: Violation): string[] {
  const texts = steps.map(({ event }) => textOf(event))
  const width = Math.max(...texts.map((text) => text.length))
  return steps.map(({ world }, index) => `${String(index + 1).padStart(2)}. ${texts[index]!.padEnd(width)}  ${stateOf(world)}`)
}

/** `e2 lead 1 isr 0,1`: the newest metadata. `0*e1 [1.1|1.2]`: broker 0 leads epoch 1, and value 1 of epoch 1 is below its high watermark. */
function stateOf({ images, brokers }: World): string {
  const { leaderEpoch, leader, isr } = partitionOf(images.at(-1)!)
  const logs = brokers.map((broker) => {
    const { id, term, log } = broker
    const entries = log.map((entry) => `${epochOf(entry)}.${valueOf(entry)}`)
    const end = highWatermark(broker)
    const role = term === undefined ? '' : `*e${term.leaderEpoch}`
    return `${id}${role} [${entries.slice(0, end).join(' ')}|${entries.slice(end).join(' ')}]`
  })
  return `e${leaderEpoch} lead ${leader < 0 ? 'nobody' : leader} isr ${isr.join(',')}   ${logs.join('  ')}`
}
