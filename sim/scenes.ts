// Coincidences that break a cluster which does not keep one of the rules of replication, and that dice alone bring about once
// in thousands of hours: each is a story of a leader, a member and a bystander, told at a partition that has them. A
// cluster that keeps its rules loses nothing by any of them.

import type { Partition } from '../broker/replication/partition.ts'
import type { BrokerHost } from './broker-host.ts'
import type { Victims } from './faults.ts'

/** The replicas of one partition. */
interface Scene {
  readonly leader: BrokerHost
  /** In sync as it begins, and the one that is to lead in the end although it may not. */
  readonly member: BrokerHost
  readonly bystander: BrokerHost
  /** As the leader has it. */
  readonly partition: Partition
}

type Undo = () => void | Promise<void>
type Story = (victims: Victims, scene: Scene) => Promise<Undo>

interface Casting {
  readonly isFragile?: 'leader' | 'member'
}

/** A fault that is told wherever there is a partition to tell it at. */
function told(story: Story, casting: Casting = {}): (victims: Victims) => Promise<Undo> {
  return async (victims) => {
    const scenes = scenesIn(victims, casting)
    return scenes.length === 0 ? () => {} : story(victims, victims.dice.pick(scenes))
  }
}

function scenesIn({ brokers, withoutDisk }: Victims, { isFragile }: Casting): Scene[] {
  const hosts = new Map(brokers.map((host) => [host.id, host]))
  const scenes: Scene[] = []
  for (const leader of brokers) {
    for (const partition of leader.leads) {
      const { isr, replicas } = partition.term!.state
      const [first, second, ...more] = replicas.filter((id) => id !== leader.id).map((id) => hosts.get(id)!)
      if (first === undefined || second === undefined || more.length > 0 || isr.length < replicas.length) continue
      for (const [member, bystander] of [[first, second], [second, first]] as const) {
        const scene = { leader, member, bystander, partition }
        if (isFragile === undefined || withoutDisk.includes(scene[isFragile])) scenes.push(scene)
      }
    }
  }
  return scenes
}

/** Long enough for a replica that is not heard of to be out of sync, and short enough for its session (`replica.lag.time.max.ms`). */
const outOfSyncMs = 2_700
/** Until whoever is left has elected and taken over, the controller's lease and all. */
const takeOverMs = 5_000

function cut({ network }: Victims, one: BrokerHost, other: BrokerHost): Undo {
  const links = [[one.name, other.name], [other.name, one.name]] as const
  for (const [from, to] of links) network.cut(from, to)
  return () => links.forEach(([from, to]) => network.heal(from, to))
}

/** Looks often, and not for ever: a story whose turn does not come goes on without it. */
async function until({ scheduler }: Victims, what: string, isSo: () => boolean): Promise<void> {
  for (let looks = 0; looks < 4_000 && !isSo(); looks++) await scheduler.sleep(2)
  scheduler.note(`the story waited until ${what}${isSo() ? '' : ', which did not happen'}`)
}

/** The member is in sync, or about to be. */
function isCounted({ partition, member }: Scene): boolean {
  const { isr, proposal } = partition.term?.state ?? {}
  return isr?.includes(member.id) === true || proposal !== undefined
}

/** The member has what the leader has. */
function isInStep({ leader, member, partition }: Scene): boolean {
  const [led, copied] = [leader.replica(partition), member.replica(partition)]
  return led !== undefined && copied !== undefined && copied.log.endOffset >= led.log.endOffset
}

/** Nobody but the member is left, and clients see what it makes of that. */
async function leaveAlone({ scheduler }: Victims, { leader, bystander }: Pick<Scene, 'leader' | 'bystander'>, undo: Undo = () => {}): Promise<Undo> {
  leader.kill()
  bystander.kill()
  await scheduler.sleep(200)
  await undo()
  await scheduler.sleep(takeOverMs)
  return () => {
    leader.start()
    bystander.start()
  }
}

/** The leader takes the member for out of sync, and cannot tell anybody. */
const unheardShrink: Story = async (victims, scene) => {
  const { table, scheduler } = victims
  const [heal, hear] = [cut(victims, scene.leader, scene.member), table.trouble(scene.leader.name, 'metadata', 'throttled')]
  await scheduler.sleep(outOfSyncMs + victims.dice.between(0, 800))
  hear()
  return leaveAlone(victims, scene, heal)
}

/** The member is in sync again before the leader hears of it, and then behind again. */
const unheardJoin: Story = async (victims, scene) => {
  const { table, scheduler, dice } = victims
  const { leader, member, partition } = scene
  const away = cut(victims, leader, member)
  await scheduler.sleep(outOfSyncMs + dice.between(0, 1_000))
  const hear = table.trouble(leader.name, 'metadata', 'deaf')
  await away()
  await until(victims, 'the member is proposed', () => partition.term?.state.proposal !== undefined)
  await scheduler.sleep(dice.between(10, 60))
  const heal = cut(victims, leader, member)
  await scheduler.sleep(dice.between(500, 1_500))
  hear()
  return leaveAlone(victims, scene, heal)
}

/**
 * What the member asked a leader for arrives when that one leads again, and the member has meanwhile cut off what it said it
 * had: the bystander led in between.
 */
const lateFetch: Story = async (victims, scene) => {
  const { network, scheduler, dice, table } = victims
  const { leader, member, bystander, partition: { leaderEpoch } } = scene
  const away = cut(victims, leader, member)
  await scheduler.sleep(outOfSyncMs + dice.between(0, 300))
  // The member has everything from now on, and nobody may say that it is in sync.
  const hear = table.trouble(leader.name, 'metadata', 'throttled')
  await away()
  await until(victims, 'the member is in step', () => isInStep(scene))
  const apart = cut(victims, leader, bystander)
  await scheduler.sleep(dice.between(300, 900))
  network.cut(member.name, leader.name)
  await scheduler.sleep(dice.between(20, 200))
  leader.pause()
  await until(victims, 'the bystander leads', () => bystander.replica(scene.partition)?.term !== undefined)
  const forget = table.trouble(bystander.name, 'metadata', 'throttled')
  await scheduler.sleep(dice.between(300, 1_000))
  await apart()
  bystander.kill()
  forget()
  hear()
  network.cut(leader.name, member.name)
  leader.resume()
  await until(victims, 'the leader leads again', () => (leader.replica(scene.partition)?.term?.leaderEpoch ?? 0) > leaderEpoch)
  network.heal(member.name, leader.name)
  await scheduler.sleep(outOfSyncMs + dice.between(500, 1_500))
  return leaveAlone(victims, scene, () => network.heal(leader.name, member.name))
}

/**
 * The leader ends just as the member comes back, with something committed that the member lacks, and of which the next leader
 * does not know yet that it is committed.
 */
const returnAtChange: Story = async (victims, scene) => {
  const { network, scheduler, dice } = victims
  const { leader, member, bystander, partition } = scene
  const before = { ...network.weather }
  const isDue = () => {
    const [end, known] = [member.replica(partition)?.log.endOffset ?? -1, bystander.replica(partition)?.highWatermark ?? Infinity]
    return end >= known && end < partition.highWatermark && !isCounted(scene)
  }
  for (let tries = 0; tries < 4 && !isDue(); tries++) {
    Object.assign(network.weather, before)
    const away = cut(victims, leader, member)
    await scheduler.sleep(outOfSyncMs + dice.between(0, 500))
    Object.assign(network.weather, { delayMs: 10, jitterMs: dice.between(50, 300) })
    await away()
    await until(victims, 'the member has what the bystander knows to be committed, and not all that is', () => isDue() || isCounted(scene))
  }
  for (const { name } of [bystander, member]) network.cut(leader.name, name)
  leader.kill()
  await until(victims, 'the bystander leads and has heard of the member', () =>
    bystander.replica(partition)?.term?.state.followers.some(({ brokerId }) => brokerId === member.id) === true)
  network.cut(bystander.name, member.name)
  await scheduler.sleep(dice.between(300, 1_000))
  Object.assign(network.weather, before)
  const restart = await leaveAlone(victims, scene)
  // Not before: what is held back on a link would be delivered after its sender's end.
  for (const [from, to] of [[bystander, member], [leader, bystander], [leader, member]] as const) network.heal(from.name, to.name)
  return restart
}

/** The leader asks for the member on the word of a start that is over, and of a disk that is gone. */
const oldPosition: Story = async (victims, scene) => {
  const { table, scheduler, dice } = victims
  const { leader, member, bystander } = scene
  const away = cut(victims, leader, member)
  await scheduler.sleep(outOfSyncMs + dice.between(0, 500))
  const hear = table.trouble(leader.name, 'metadata', 'throttled')
  await away()
  await scheduler.sleep(dice.between(50, 400))
  const apart = [cut(victims, leader, member), cut(victims, bystander, member)]
  await member.loseDisk()
  member.start()
  await scheduler.sleep(dice.between(400, 900))
  hear()
  await scheduler.sleep(dice.between(700, 1_200))
  return leaveAlone(victims, scene, async () => {
    for (const heal of apart) await heal()
  })
}

/** The leader takes the bystander out, in a state of the partition in which the member has left meanwhile. */
const oldChange: Story = async (victims, scene) => {
  const { table, scheduler, dice } = victims
  const { leader, member, bystander } = scene
  const away = cut(victims, leader, bystander)
  const hear = table.trouble(leader.name, 'metadata', 'throttled')
  await scheduler.sleep(outOfSyncMs + dice.between(0, 300))
  const apart = cut(victims, leader, member)
  await member.loseDisk()
  member.start()
  await scheduler.sleep(dice.between(300, 700))
  hear()
  await scheduler.sleep(dice.between(600, 1_000))
  return leaveAlone(victims, scene, async () => {
    await away()
    await apart()
  })
}

/** The member comes back with nothing, and nobody is there to copy from. */
const emptyReturn: Story = async (victims, scene) => {
  const { scheduler, dice } = victims
  const { leader, member, bystander } = scene
  const apart = [cut(victims, leader, member), cut(victims, bystander, member)]
  await member.loseDisk()
  member.start()
  await scheduler.sleep(dice.between(300, 1_500))
  return leaveAlone(victims, scene, async () => {
    for (const heal of apart) await heal()
  })
}

/** The leader hears of nobody, and then its disk is gone. */
const lonelyLeader: Story = async (victims, { leader, member, bystander }) => {
  const apart = [cut(victims, leader, member), cut(victims, leader, bystander)]
  await victims.scheduler.sleep(outOfSyncMs + victims.dice.between(300, 2_000))
  await leader.loseDisk()
  for (const heal of apart) await heal()
  return () => leader.start()
}

/** The others ask for everything and have no room for it, and then the leader's disk is gone. It hears them, so it does not hand over. */
const fullFollowers: Story = async (victims, { leader, member, bystander }) => {
  const disks = [member, bystander].map(({ disk }) => disk.memory)
  for (const disk of disks) disk.bytesMax = disk.usedBytes
  await victims.scheduler.sleep(outOfSyncMs + victims.dice.between(300, 1_000))
  await leader.loseDisk()
  for (const disk of disks) disk.bytesMax = Infinity
  return () => leader.start()
}

export const scenes = {
  'unheard shrink': told(unheardShrink),
  'unheard join': told(unheardJoin),
  'late fetch': told(lateFetch),
  'return at a change of leader': told(returnAtChange),
  'old position': told(oldPosition, { isFragile: 'member' }),
  'old change': told(oldChange, { isFragile: 'member' }),
  'empty return': told(emptyReturn, { isFragile: 'member' }),
  'lonely leader': told(lonelyLeader, { isFragile: 'leader' }),
}

/**
 * Told only where it is asked for: three disks in trouble at once are more than a cluster is to survive, if one of the brokers
 * is restarted meanwhile, and finds no room to open its logs.
 */
export const extremeScenes = {
  'full followers': told(fullFollowers, { isFragile: 'leader' }),
}
