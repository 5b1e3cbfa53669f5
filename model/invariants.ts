// What must hold in every world. Each check returns what is wrong, in words.

import { minIsr } from './metadata.ts'
import { highWatermark } from './replica.ts'
import { type Broker, epochOf, type Shown, valueOf, type World } from './world.ts'

export interface Invariant {
  /** `step`: of an event, so of each way into a world; `world`: of a world, however it came about. */
  readonly of: 'world' | 'step'
  check(world: World, before: World): string | undefined
}

type Check = Invariant['check']

/** Whoever leads in an epoch has all that was shown in that one or an older one: an acknowledgement shows what it is of. */
const leadersHaveWhatWasShown: Check = ({ brokers, shown }) => {
  for (const { id, term, log } of brokers) {
    if (term === undefined) continue
    const lost = shown.findIndex(({ entry, epoch }, offset) => term.leaderEpoch >= epoch && log[offset] !== entry)
    if (lost >= 0) return `${id} leads epoch ${term.leaderEpoch} without ${shownText(shown[lost]!)} at offset ${lost}`
  }
  return undefined
}

const nobodyShowsAnother: Check = ({ brokers, shown }) => {
  for (const broker of brokers) {
    const end = highWatermark(broker)
    for (let offset = 0; offset < end; offset++) {
      const other = shown[offset]
      if (other !== undefined && other.entry !== broker.log[offset]) {
        return `${broker.id} shows value ${valueOf(broker.log[offset]!)} at offset ${offset}, where readers saw ${shownText(other)}`
      }
    }
  }
  return undefined
}

/** Within one start: a broker that starts again knows nothing at first, and says so to its readers. */
const highWatermarksDoNotGoBack: Check = ({ brokers }, before) => {
  for (const broker of brokers) {
    const old = before.brokers[broker.id]!
    if (old === broker || old.brokerEpoch !== broker.brokerEpoch || highWatermark(broker) >= highWatermark(old)) continue
    return `the high watermark of ${broker.id} goes back from ${highWatermark(old)} to ${highWatermark(broker)}`
  }
  return undefined
}

/** A leader that answers how far the partition goes is never behind what an older epoch showed (KIP-207). */
const settledLeadersKnowAll: Check = ({ brokers, shown }) => {
  for (const { id, term } of brokers) {
    if (term === undefined || term.highWatermark < term.epochStartOffset) continue
    const missed = shown.findIndex(({ epoch }, offset) => epoch < term.leaderEpoch && offset >= term.highWatermark)
    if (missed >= 0) return `${id} leads epoch ${term.leaderEpoch} and is sure that nothing is committed at offset ${missed}: ${shownText(shown[missed]!)}`
  }
  return undefined
}

/** What was shown outlives the loss of all disks but one of `min.insync.replicas`. */
const copiesAreEnough: Check = ({ brokers, shown, spent }) => {
  const few = shown.findIndex(({ entry }, offset) => brokers.filter(({ log }) => log[offset] === entry).length < minIsr - spent.losses)
  return few < 0 ? undefined : `fewer than ${minIsr - spent.losses} brokers have ${shownText(shown[few]!)} at offset ${few}`
}

const oneLeaderPerEpoch: Check = ({ brokers, showedBy }) => {
  for (const { id, term } of brokers) {
    const other = term === undefined || term.highWatermark <= term.epochStartOffset ? undefined : showedBy[term.leaderEpoch]
    if (other !== undefined && other !== id) return `${id} acknowledges in epoch ${term!.leaderEpoch}, and so did ${other}`
  }
  return undefined
}

/** Two logs with the same epoch at an offset are the same up to there. */
const logsMatch: Check = ({ brokers }) => {
  for (const one of brokers) for (const other of brokers) {
    const parted = one.id < other.id ? partedAt(one, other) : undefined
    if (parted !== undefined) return `${one.id} and ${other.id} have epoch ${epochOf(one.log[parted]!)} at offset ${parted}, and not the same records up to there`
  }
  return undefined
}

function partedAt(one: Broker, other: Broker): number | undefined {
  let isSame = true
  for (let offset = 0; offset < Math.min(one.log.length, other.log.length); offset++) {
    isSame &&= one.log[offset] === other.log[offset]
    if (!isSame && epochOf(one.log[offset]!) === epochOf(other.log[offset]!)) return offset
  }
  return undefined
}

export const invariants: Readonly<Record<string, Invariant>> = {
  'no other value is shown': { of: 'world', check: nobodyShowsAnother },
  'leaders have what was shown': { of: 'world', check: leadersHaveWhatWasShown },
  'copies are enough': { of: 'world', check: copiesAreEnough },
  'high watermarks do not go back': { of: 'step', check: highWatermarksDoNotGoBack },
  'settled leaders know all': { of: 'world', check: settledLeadersKnowAll },
  'one leader per epoch acknowledges': { of: 'world', check: oneLeaderPerEpoch },
  'logs match': { of: 'world', check: logsMatch },
}

/** Takes note of what readers can see of this world. */
export function shownIn(world: World): World {
  let { shown, showedBy } = world
  for (const broker of world.brokers) {
    const epoch = broker.term?.leaderEpoch
    if (epoch === undefined) continue
    const end = highWatermark(broker)
    for (let offset = 0; offset < end; offset++) {
      const known = shown[offset]
      if (known === undefined || epoch < known.epoch) shown = shown.toSpliced(offset, 1, { entry: known?.entry ?? broker.log[offset]!, epoch })
    }
    if (end > broker.term!.epochStartOffset && showedBy[epoch] === undefined) {
      showedBy = Array.from({ length: Math.max(showedBy.length, epoch + 1) }, (_, at) => (at === epoch ? broker.id : showedBy[at]))
    }
  }
  return shown === world.shown && showedBy === world.showedBy ? world : { ...world, shown, showedBy }
}

function shownText({ entry, epoch }: Shown): string {
  return `value ${valueOf(entry)} of epoch ${epochOf(entry)}, which epoch ${epoch} showed`
}
