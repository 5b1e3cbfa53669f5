// The disk of a simulated host, with time: operations take a while, and are under way when a process or the power ends.
// What a crash leaves of what was not synced is test/support/memory-disk's: old or new, sector by sector.

import type { Disk, DiskFile } from '../broker/runtime/disk.ts'
import { MemoryDisk } from '../test/support/memory-disk.ts'
import type { SeededRandom } from '../test/support/seeded-random.ts'
import type { SimProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'

export interface DiskWeather {
  /** Milliseconds of any operation, and of a sync; up to twice that. */
  operationMs: number
  syncMs: number
  /** The probability that a sync fails, and takes what it should have kept with it. */
  syncFaults: number
  /** The probability that a read fails. */
  readFaults: number
}

interface UnderWay {
  readonly kind: 'write' | 'sync' | 'other'
  readonly run: () => Promise<unknown>
}

export class SimDisk {
  readonly memory: MemoryDisk
  readonly weather: DiskWeather = { operationMs: 0.05, syncMs: 1, syncFaults: 0, readFaults: 0 }
  readonly #dice: SeededRandom
  /** In the order in which they were asked for. */
  readonly #underWay = new Set<UnderWay>()

  constructor(scheduler: Scheduler, name: string) {
    this.#dice = scheduler.dice(`disk of ${name}`)
    this.memory = new MemoryDisk({ seed: this.#dice.below(2 ** 31), writeBack: 0.05 })
    this.memory.fault = ({ kind }) => {
      if (kind === 'sync' && this.#dice.chance(this.weather.syncFaults)) return 'EIO'
      return kind === 'read' && this.#dice.chance(this.weather.readFaults) ? 'EIO' : undefined
    }
  }

  /** The disk as one process has it, until it ends. */
  mount(process: SimProcess): Disk {
    const disk = this.memory.mount()
    const plain = <T>(what: string, run: () => Promise<T>) => this.#do(process, { what, kind: 'other' }, run)
    return {
      open: async (path, options) => this.#file(process, path, await plain('open', () => disk.open(path, options))),
      readFile: (path) => plain('read', () => disk.readFile(path)),
      replaceFile: (path, bytes) => this.#do(process, { what: 'replace', kind: 'sync' }, () => disk.replaceFile(path, bytes)),
      list: (directory) => plain('list', () => disk.list(directory)),
      entries: (directory) => plain('list', () => disk.entries(directory)),
      stat: (path) => plain('stat', () => disk.stat(path)),
      size: (path) => plain('stat', () => disk.size(path)),
      makeDirectory: (path) => this.#do(process, { what: 'make directory', kind: 'sync' }, () => disk.makeDirectory(path)),
      rename: (from, to) => this.#do(process, { what: 'rename', kind: 'sync' }, () => disk.rename(from, to)),
      renameIfAbsent: (from, to) => this.#do(process, { what: 'rename', kind: 'sync' }, () => disk.renameIfAbsent(from, to)),
      remove: (path) => plain('remove', () => disk.remove(path)),
      removeDirectory: (path) => plain('remove', () => disk.removeDirectory(path)),
      syncDirectory: (path) => this.#do(process, { what: 'sync directory', kind: 'sync' }, () => disk.syncDirectory(path)),
      space: (path) => plain('space', () => disk.space(path)),
    }
  }

  /** The power goes, and with it what no sync has kept; one of the operations under way may have got somewhere. */
  async losePower(): Promise<void> {
    const candidates = [...this.#underWay]
    this.#underWay.clear()
    if (candidates.length > 0) {
      this.memory.powerLossAt = this.memory.operations + this.#dice.between(1, 4)
      await this.#dice.pick(candidates).run().catch(() => {})
    }
    this.memory.crash()
  }

  /** A bit changes in a file, in the cache as on the platter. Undefined: there is none to change. */
  rot(matches: (path: string) => boolean): string | undefined {
    const files = [...this.memory.files()].filter(([path, content]) => content.length > 0 && matches(path)).sort()
    if (files.length === 0) return undefined
    const [path, content] = this.#dice.pick(files)
    this.memory.flipBit(path, this.#dice.below(content.length * 8))
    return path
  }

  #file(process: SimProcess, path: string, file: DiskFile): DiskFile {
    const run = <T>(what: string, kind: UnderWay['kind'], one: () => Promise<T>) => this.#do(process, { what, kind }, one)
    return {
      read: (target, position) => run(`reads ${path}`, 'other', () => file.read(target, position)),
      write: (buffers, position) => run(`writes ${path}`, 'write', () => file.write(buffers, position)),
      sync: () => run(`syncs ${path}`, 'sync', () => file.sync()),
      truncate: (size) => run(`truncates ${path}`, 'other', () => file.truncate(size)),
      size: () => run('size', 'other', () => file.size()),
      close: () => run('close', 'other', () => file.close()),
    }
  }

  #do<T>(process: SimProcess, of: { what: string; kind: UnderWay['kind'] }, run: () => Promise<T>): Promise<T> {
    const underWay: UnderWay = { kind: of.kind, run }
    this.#underWay.add(underWay)
    const { operationMs, syncMs } = this.weather
    const ms = (of.kind === 'sync' ? syncMs : operationMs) * (1 + this.#dice.fraction())
    return process.call(of.what, { beforeMs: ms, afterMs: 0 }, () => {
      // It went with the power.
      if (!this.#underWay.delete(underWay)) return new Promise<T>(() => {})
      return run()
    })
  }
}
