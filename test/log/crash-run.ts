// What power-loss.test.ts runs: a log under random appends, rolls, evictions, restarts, kills and power losses, against a model of what it owes.

import assert from 'node:assert/strict'
import { HotBudget } from '../../broker/log/hot-ring.ts'
import type { PartitionLog } from '../../broker/log/partition-log.ts'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { RecordBatch } from '../../broker/protocol/record-batch.ts'
import { aBatch } from '../support/a-batch.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { LogWorld, readAll } from './log-world.ts'

interface Sent {
  readonly producerId: number
  readonly sequence: number
  /** What is in the batch behind what the broker stamps. */
  readonly content: Buffer
  /** -1: not answered, or refused. */
  baseOffset: number
}

interface Client {
  readonly producerId: number
  epoch: number
  sequence: number
}

/** What the log owes its clients. */
class Model {
  readonly sent: Sent[] = []
  readonly clients: Client[]
  logStartOffset = 0
  localStartOffset = 0
  /** Where the next recovery may not fall below, and what it may not have invented. */
  get acknowledgedEnd(): number {
    let end = 0
    for (const { baseOffset, content } of this.sent) if (baseOffset >= 0) end = Math.max(end, baseOffset + recordCount(content))
    return end
  }

  forgetFrom(offset: number): void {
    for (const sent of this.sent) if (sent.baseOffset >= offset) sent.baseOffset = -1
  }

  constructor(random: SeededRandom) {
    this.clients = Array.from({ length: random.between(1, 3) }, (_, index) => ({ producerId: index === 0 ? -1 : 100 + index, epoch: 0, sequence: 0 }))
  }
}

const recordCount = (content: Buffer) => content.readInt32BE(57 - 21)

export class CrashRun {
  readonly random: SeededRandom
  readonly world: LogWorld
  readonly model: Model
  log: PartitionLog | undefined
  #fill = 0
  /** Power was lost since the last look. */
  #hasLost = false

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.world = new LogWorld({ seed: seed * 7 + 1, writeBack: this.random.pick([0, 0.1, 0.5]) }, {
      segmentBytes: this.random.pick([2_000, 5_000, 20_000, 1 << 20]),
    })
    this.world.isSynced = this.random.chance(0.7)
    this.world.hot = new HotBudget(this.random.pick([0, 10_000, 1 << 20]))
    this.model = new Model(this.random)
  }

  async go(): Promise<void> {
    for (let round = this.random.between(2, 4); round > 0; round--) {
      await this.#reopen()
      await this.#live()
      await this.#end()
    }
    await this.#reopen()
    await this.#verifyIdempotent()
  }

  async #reopen(): Promise<void> {
    if (this.random.chance(0.2)) {
      // Recovery itself may lose its power.
      this.world.disk.powerLossAt = this.world.disk.operations + this.random.between(1, 30)
      this.log = await this.world.open().catch(() => undefined)
      this.#losePower()
    }
    this.log = await this.world.open()
    await this.#verify(this.log)
  }

  /** A second recovery finds what the first one left, and changes nothing that matters. */
  async #verifyIdempotent(): Promise<void> {
    const before = (await readAll(this.log!)).map(({ bytes }) => bytes.toString('latin1'))
    this.#losePower()
    const again = await this.world.open()
    assert.deepEqual((await readAll(again)).map(({ bytes }) => bytes.toString('latin1')), before)
    assert.equal(again.tornBytes, 0)
    await this.#verify(again)
  }

  async #live(): Promise<void> {
    this.#spoil()
    if (this.random.chance(0.7)) this.world.disk.powerLossAt = this.world.disk.operations + this.random.between(1, 120)
    for (let step = this.random.between(1, 12); step > 0 && this.world.disk.hasPower; step--) await this.#step(this.log!)
  }

  /** Until the end of this life the disk is now and then full, or does not sync. */
  #spoil(): void {
    const { random, world } = this
    const full = random.chance(0.2) ? 0.2 : 0
    // Where appends are not synced, nothing on this disk helps after a sync that failed: other replicas do.
    const unsynced = world.isSynced && random.chance(0.2) ? 0.1 : 0
    world.disk.fault = ({ kind }) => {
      if ((kind === 'write' || kind === 'open') && random.chance(full)) return 'ENOSPC'
      if ((kind === 'sync' || kind === 'sync directory') && random.chance(unsynced)) return 'EIO'
      return undefined
    }
  }

  async #step(log: PartitionLog): Promise<void> {
    const { random } = this
    const dice = random.fraction()
    if (dice < 0.75) await this.#append(log)
    else if (dice < 0.8) await log.roll()
    else if (dice < 0.85) await log.tick({ isClockTrusted: true })
    else if (dice < 0.9) await this.#evict(log)
    else if (dice < 0.95) await this.#advance(log)
    else for (let turns = random.below(20); turns > 0; turns--) await undefined
  }

  /** A handful of batches at once; some clients do not wait for the answer. */
  async #append(log: PartitionLog): Promise<void> {
    const answers: Promise<void>[] = []
    for (let count = this.random.between(1, 5); count > 0; count--) answers.push(this.#send(log, this.random.pick(this.model.clients)))
    if (this.random.chance(0.8)) await Promise.all(answers)
  }

  async #send(log: PartitionLog, client: Client): Promise<void> {
    const records = this.random.between(1, 3)
    const idempotent = client.producerId < 0 ? {} : { producerId: client.producerId, producerEpoch: client.epoch, baseSequence: client.sequence }
    const batch = aBatch({ records, valueBytes: this.random.pick([1, 50, 400, 1500]), fill: this.#fill++ % 256, ...idempotent })
    const sent: Sent = { producerId: client.producerId, sequence: client.sequence, content: Buffer.from(batch.subarray(21)), baseOffset: -1 }
    client.sequence += records
    this.model.sent.push(sent)
    const appended = await log.append(batch, { leaderEpoch: 1 })
    if (appended.errorCode === ErrorCode.NONE) sent.baseOffset = appended.baseOffset
  }

  async #evict(log: PartitionLog): Promise<void> {
    const offset = this.random.between(0, log.durableEndOffset)
    this.model.localStartOffset = Math.max(this.model.localStartOffset, offset)
    await log.evictBelow(offset).catch(() => {})
  }

  async #advance(log: PartitionLog): Promise<void> {
    const offset = this.random.between(0, log.durableEndOffset)
    this.model.localStartOffset = Math.max(this.model.localStartOffset, offset)
    const isDone = await log.advanceLogStart(offset).then(() => true, () => false)
    if (isDone) this.model.logStartOffset = Math.max(this.model.logStartOffset, offset)
  }

  async #end(): Promise<void> {
    const { disk } = this.world
    if (this.random.chance(0.3) && disk.hasPower) await this.log!.close()
    if (this.random.chance(0.3) && disk.hasPower) disk.killProcess()
    else this.#losePower()
    disk.fault = () => undefined
    // What was under way has ended without an answer.
    for (let turns = 0; turns < 200; turns++) await undefined
  }

  #losePower(): void {
    this.world.disk.crash()
    this.#hasLost = true
  }

  async #verify(log: PartitionLog): Promise<void> {
    const { model } = this
    // Without syncs the last of it may be lost with the power, and with nothing else.
    if (this.#hasLost && !this.world.isSynced) model.forgetFrom(log.durableEndOffset)
    this.#hasLost = false
    assert(log.logStartOffset >= model.logStartOffset, 'the log start moved back')
    assert(log.durableEndOffset >= model.acknowledgedEnd, `acknowledged up to ${model.acknowledgedEnd}, and the log ends at ${log.durableEndOffset}`)
    const batches = await readAll(log)
    let next = log.localStartOffset
    assert(next <= Math.max(model.localStartOffset, 0), 'more is gone than was dropped')
    const found = new Map<number, RecordBatch>()
    for (const batch of batches) {
      assert.equal(batch.baseOffset, next)
      assert(batch.isIntact())
      found.set(batch.baseOffset, batch)
      next = batch.endOffset
    }
    this.#verifyAcknowledged(log, found)
    this.#learn(log, found)
  }

  #verifyAcknowledged(log: PartitionLog, found: ReadonlyMap<number, RecordBatch>): void {
    for (const { baseOffset, content } of this.model.sent) {
      if (baseOffset < log.localStartOffset) continue
      assert(found.get(baseOffset)?.bytes.subarray(21).equals(content), `what was acknowledged at ${baseOffset} is not there`)
    }
  }

  /** Each client's batches are there once, in order, without a gap; and the log knows which one comes next. */
  #learn(log: PartitionLog, found: ReadonlyMap<number, RecordBatch>): void {
    const described = new Map(log.producers.describe().map((one) => [one.producerId, one]))
    for (const client of this.model.clients) {
      if (client.producerId < 0) continue
      let next = -1
      for (const batch of found.values()) {
        if (batch.producerId !== client.producerId) continue
        if (next >= 0) assert.equal(batch.baseSequence, next, 'a batch is missing or there twice')
        next = batch.lastSequence + 1
      }
      const known = described.get(client.producerId)
      if (next >= 0) assert.equal(known?.lastSequence, next - 1)
      // A client goes on behind what is there, as it does when it has asked for what became of its batches.
      client.sequence = (known?.lastSequence ?? -1) + 1
    }
    this.#forgetUnknown(found)
  }

  /** What was never acknowledged may be there or not, and from here on it stays so. */
  #forgetUnknown(found: ReadonlyMap<number, RecordBatch>): void {
    const contents = new Map([...found].map(([baseOffset, { bytes }]) => [bytes.subarray(21).toString('latin1'), baseOffset]))
    for (const sent of this.model.sent) {
      if (sent.baseOffset < 0) sent.baseOffset = contents.get(sent.content.toString('latin1')) ?? -1
    }
    this.model.sent.splice(0, this.model.sent.length, ...this.model.sent.filter(({ baseOffset }) => baseOffset >= 0))
  }
}
