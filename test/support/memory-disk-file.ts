import type { SeededRandom } from './seeded-random.ts'

/** What a disk writes as one. */
export const sectorBytes = 512

/**
 * The bytes of one file twice: as programs see them (the page cache), and as they are on the platter. Sectors that were
 * written and not synced are `dirty`: after a crash each holds the one or the other.
 */
export class FileNode {
  readonly kind = 'file'
  #cached: Buffer = Buffer.alloc(0)
  #size = 0
  #stable: Buffer = Buffer.alloc(0)
  #stableSize = 0
  #dirty = new Set<number>()

  get size(): number {
    return this.#size
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(Math.min(target.length, this.#size - position), 0)
    target.set(this.#cached.subarray(position, position + count))
    return count
  }

  content(): Buffer {
    return Buffer.from(this.#cached.subarray(0, this.#size))
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (end > this.#cached.length) this.#cached = grown(this.#cached, end)
    this.#cached.set(bytes, position)
    this.#mark(Math.min(position, this.#size), end)
    this.#size = Math.max(this.#size, end)
  }

  truncate(size: number): void {
    if (size > this.#cached.length) this.#cached = grown(this.#cached, size)
    if (size < this.#size) this.#cached.fill(0, size, this.#size)
    this.#mark(Math.min(size, this.#size), Math.max(size, this.#size))
    this.#size = size
  }

  #mark(start: number, end: number): void {
    for (let sector = Math.floor(start / sectorBytes); sector * sectorBytes < end; sector++) this.#dirty.add(sector)
  }

  sync(): void {
    for (const sector of this.#dirty) this.#store(sector)
    this.#dirty.clear()
    this.#stableSize = this.#size
  }

  /** What a kernel does when it has time: some sectors become stable on their own. */
  writeBack(random: SeededRandom): void {
    for (const sector of this.#dirty) if (random.chance(0.5)) this.#store(sector)
    if (random.chance(0.5)) this.#stableSize = this.#size
  }

  /** A sync that failed: some sectors are stable, and all are taken to be: syncing again would succeed and mean nothing. */
  failSync(random: SeededRandom): void {
    this.writeBack(random)
    this.#dirty.clear()
  }

  #store(sector: number): void {
    const start = sector * sectorBytes
    const end = start + sectorBytes
    if (end > this.#stable.length) this.#stable = grown(this.#stable, end)
    this.#stable.fill(0, start, end)
    this.#stable.set(this.#cached.subarray(start, Math.min(end, this.#size)), start)
  }

  /** Power is lost: each dirty sector is old or new, the size is old, new or between. */
  crash(random: SeededRandom): void {
    const kept = random.pick([0, 0.5, 0.9, 1, random.fraction()])
    for (const sector of this.#dirty) if (random.chance(kept)) this.#store(sector)
    const [low, high] = [Math.min(this.#stableSize, this.#size), Math.max(this.#stableSize, this.#size)]
    const size = this.#dirty.size === 0 ? this.#stableSize : random.pick([this.#stableSize, this.#size, random.between(low, high)])
    // What lies behind the end is no content: it reads as zeros should the file grow again.
    this.#cached = Buffer.alloc(size)
    this.#cached.set(this.#stable.subarray(0, size))
    this.#size = size
    this.#stable = Buffer.from(this.#cached)
    this.#stableSize = size
    this.#dirty.clear()
  }

  /** Rot: in the cache and on the platter. */
  flipBit(bit: number): void {
    for (const bytes of [this.#cached, this.#stable]) {
      const byte = bit >>> 3
      if (byte < bytes.length) bytes[byte]! ^= 1 << (bit & 7)
    }
  }
}

function grown(bytes: Buffer, length: number): Buffer {
  const larger = Buffer.alloc(Math.max(length, bytes.length * 2, 4096))
  larger.set(bytes)
  return larger
}

/** A change of a directory that a crash may undo until the directory is synced. */
interface Change {
  /** Undefined: the name is gone. */
  readonly entries: readonly (readonly [name: string, node: MemoryNode | undefined])[]
}

export type MemoryNode = FileNode | DirectoryNode

export class DirectoryNode {
  readonly kind = 'directory'
  readonly entries = new Map<string, MemoryNode>()
  #stable = new Map<string, MemoryNode>()
  #changes: Change[] = []

  /** Both names of a rename change as one. */
  change(...entries: Change['entries']): void {
    apply(this.entries, entries)
    this.#changes.push({ entries })
  }

  sync(): void {
    this.#stable = new Map(this.entries)
    this.#changes = []
  }

  /** Power is lost: of the changes since the last sync some, in any combination, have taken place. */
  crash(random: SeededRandom): void {
    const kept = random.pick([0, 0.5, 1, random.fraction()])
    for (const { entries } of this.#changes) if (random.chance(kept)) apply(this.#stable, entries)
    this.entries.clear()
    for (const [name, node] of this.#stable) this.entries.set(name, node)
    this.#changes = []
    for (const node of this.entries.values()) node.crash(random)
  }
}

function apply(to: Map<string, MemoryNode>, entries: Change['entries']): void {
  for (const [name, node] of entries) {
    if (node === undefined) to.delete(name)
    else to.set(name, node)
  }
}
