// The faults that a seed can have, each with what it does and how it is undone. What has no cluster to
// happen in yet is written for any number of brokers all the same.

import type { SeededRandom } from '../test/support/seeded-random.ts'
import type { BrokerHost } from './broker-host.ts'
import type { SimNetwork } from './network.ts'
import type { SimObjects } from './objects.ts'
import type { Scheduler } from './scheduler.ts'
import { extremeScenes, scenes } from './scenes.ts'
import type { SimTable } from './table.ts'

export interface Victims {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly table: SimTable
  readonly objects: SimObjects
  readonly brokers: readonly BrokerHost[]
  /** Those whose machines may end: where acknowledged means in memory, only one of them. */
  readonly withoutPower: readonly BrokerHost[]
  /** Those whose disks may be lost. */
  readonly withoutDisk: readonly BrokerHost[]
  readonly clients: readonly string[]
  readonly dice: SeededRandom
}

/** Begins, and returns how it ends. */
export type Fault = (victims: Victims) => Promise<() => void | Promise<void>>

const undone = () => {}

type OnBroker = (broker: BrokerHost) => void | Promise<void>

function onBroker(victims: Victims, begin: OnBroker, end: OnBroker) {
  return onOne(victims.brokers, victims.dice, begin, end)
}

function onPowered(victims: Victims, begin: OnBroker, end: OnBroker) {
  return onOne(victims.withoutPower, victims.dice, begin, end)
}

async function onOne(brokers: readonly BrokerHost[], dice: SeededRandom, begin: OnBroker, end: OnBroker) {
  if (brokers.length === 0) return undone
  const broker = dice.pick(brokers)
  await begin(broker)
  return () => end(broker)
}

/** Sets some numbers, and sets them back. */
function weather<T extends object>(of: T, change: Partial<T>): () => void {
  const before = Object.fromEntries(Object.keys(change).map((name) => [name, of[name as keyof T]]))
  Object.assign(of, change)
  return () => void Object.assign(of, before)
}

const faultsByName = {
  /** F1: the process ends without a word. */
  kill: (victims) => onBroker(victims, (broker) => broker.kill(), (broker) => broker.start()),
  /** F26: the machine does. */
  'power loss': (victims) => onPowered(victims, (broker) => broker.losePower(), (broker) => broker.start()),
  /** F24: it comes back with an empty disk. */
  'disk lost': ({ withoutDisk, dice }) => onOne(withoutDisk, dice, (broker) => broker.loseDisk(), (broker) => broker.start()),
  /** F7: stopped in order. */
  restart: (victims) => onBroker(victims, (broker) => broker.stop(), (broker) => broker.start()),
  /** F26 at the worst of times: again while it recovers. */
  'crash loop': (victims) => onPowered(victims, async (broker) => {
    for (let crashes = victims.dice.between(2, 5); crashes > 0; crashes--) {
      await broker.losePower()
      await victims.scheduler.sleep(50)
      broker.start()
      await victims.scheduler.sleep(victims.dice.between(1, 400))
    }
    broker.kill()
  }, (broker) => broker.start()),
  /** F2, F5: SIGSTOP. */
  pause: (victims) => onBroker(victims, (broker) => broker.pause(), (broker) => broker.resume()),
  /** F28: the event loop stands still, again and again. */
  stalls: (victims) => onBroker(victims, async (broker) => {
    for (let stalls = victims.dice.between(2, 6); stalls > 0; stalls--) {
      broker.pause()
      await victims.scheduler.sleep(victims.dice.between(50, 1_500))
      broker.resume()
      await victims.scheduler.sleep(victims.dice.between(20, 500))
    }
  }, undone),
  /** F8, F9, F11: one direction of one link, or of all links of a broker. */
  'one-way cut': async (victims) => {
    const { dice, network } = victims
    const broker = dice.pick(victims.brokers).name
    const others = [...victims.clients, ...victims.brokers.map(({ name }) => name)].filter((name) => name !== broker)
    const cut = dice.chance(0.5) ? others : [dice.pick(others)]
    const links = dice.chance(0.5) ? cut.map((name) => [broker, name] as const) : cut.map((name) => [name, broker] as const)
    for (const [from, to] of links) network.cut(from, to)
    return () => links.forEach(([from, to]) => network.heal(from, to))
  },
  /** F8: both directions of all of a broker's links. */
  isolation: async (victims) => {
    const { dice, network } = victims
    const broker = dice.pick(victims.brokers).name
    const others = [...victims.clients, ...victims.brokers.map(({ name }) => name)].filter((name) => name !== broker)
    for (const name of others) for (const [from, to] of [[broker, name], [name, broker]] as const) network.cut(from, to)
    return () => {
      for (const name of others) for (const [from, to] of [[broker, name], [name, broker]] as const) network.heal(from, to)
    }
  },
  /** F13. */
  resets: async ({ network, dice }) => weather(network.weather, { resets: 0.002 + dice.fraction() * 0.02 }),
  'slow network': async ({ network, dice }) => weather(network.weather, { delayMs: dice.between(5, 100), jitterMs: dice.between(5, 400), splits: 0.6 }),
  /** F10, F16 for one broker and for all. */
  'table cut': async ({ table, brokers, dice }) => {
    const { name } = dice.pick(brokers)
    table.cut(name)
    return () => table.heal(name)
  },
  'table away': async ({ table }) => weather(table.weather, { isAway: true }),
  /** F14, F15, F17. */
  'table throttled': async ({ table }) => weather(table.weather, { refused: 0.5, delayMs: 30, jitterMs: 200 }),
  'table answers lost': async ({ table }) => weather(table.weather, { lostAnswers: 0.3 }),
  'table late': async ({ table }) => weather(table.weather, { late: 0.3 }),
  /** F12, F19, F20. */
  'objects cut': async ({ objects, brokers, dice }) => {
    const { name } = dice.pick(brokers)
    objects.cut(name)
    return () => objects.heal(name)
  },
  'objects away': async ({ objects }) => weather(objects.weather, { isAway: true }),
  'objects slow down': async ({ objects }) => weather(objects.weather, { refused: 0.5, delayMs: 100, jitterMs: 500 }),
  'objects answers lost': async ({ objects }) => weather(objects.weather, { lostAnswers: 0.4 }),
  'objects late': async ({ objects }) => weather(objects.weather, { late: 0.4 }),
  'objects damaged': async ({ objects }) => weather(objects.weather, { damaged: 0.2 }),
  /** F23. */
  'slow disk': async ({ brokers, dice }) => weather(dice.pick(brokers).disk.weather, { syncMs: dice.between(20, 500), operationMs: dice.between(1, 20) }),
  /** F22: a partition that could not sync is not led again by this process, whether or not the machine goes with it. */
  'failed syncs': (victims) => {
    let end = undone
    return onPowered(victims, (broker) => void (end = weather(broker.disk.weather, { syncFaults: 0.05 })), async (broker) => {
      end()
      if (victims.dice.chance(0.5)) broker.kill()
      else await broker.losePower()
      await victims.scheduler.sleep(100)
      broker.start()
    })
  },
  /** What could not be read at a start stays offline until the next one. */
  'failed reads': (victims) => {
    let end = undone
    return onBroker(victims, (broker) => void (end = weather(broker.disk.weather, { readFaults: 0.05 })), async (broker) => {
      end()
      broker.kill()
      await victims.scheduler.sleep(100)
      broker.start()
    })
  },
  /** F21. */
  'disk full': (victims) => onBroker(victims, (broker) => {
    broker.disk.memory.bytesMax = broker.disk.memory.usedBytes + victims.dice.below(20_000)
  }, (broker) => void (broker.disk.memory.bytesMax = Infinity)),
  /** F25: bits of an index change while nobody looks. What indexes say is in the log as well. */
  'rotten index': (victims) => onPowered(victims, async (broker) => {
    await broker.losePower()
    for (let flips = victims.dice.between(1, 4); flips > 0; flips--) {
      const path = broker.disk.rot((name) => name.endsWith('.index'))
      victims.scheduler.note(`a bit of ${path} changes`)
    }
  }, (broker) => broker.start()),
  /** F27: the wall clock of a machine steps. */
  'clock step': async ({ brokers, dice }) => {
    const { time } = dice.pick(brokers)
    const before = time.skewMs
    time.skewMs = dice.between(-skewMsMax, skewMsMax)
    return () => void (time.skewMs = before)
  },
  /** F27: it steps so far that every record looks old. A process that starts then cannot know better. */
  'clock leap': async ({ brokers, dice }) => {
    const broker = dice.pick(brokers)
    if (!broker.isServing) return undone
    broker.time.leapMs = 3_600_000
    return () => void (broker.time.leapMs = 0)
  },
  ...scenes,
} satisfies Record<string, Fault>

export type FaultName = keyof typeof faultsByName | keyof typeof extremeScenes
export const faults: Readonly<Record<FaultName, Fault>> = { ...faultsByName, ...extremeScenes }
export const faultNames = Object.keys(faults) as FaultName[]
/** Those that a seed may choose by itself. */
export const chosenFaults = Object.keys(faultsByName) as FaultName[]

/** Wall clocks are apart by at most so much. */
export const skewMsMax = 5_000
