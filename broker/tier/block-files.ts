import type { Disk } from '../runtime/disk.ts'

/** Where a block lies in which object: [start, end) in bytes. */
export interface Block {
  /** The object's own uuid, the last part of its key. */
  readonly uuid: string
  readonly key: string
  readonly start: number
  readonly end: number
}

export interface BlockFilesOptions {
  readonly disk: Disk
  /** Nothing else may live here. */
  readonly directory: string
  /** Of all files together. */
  readonly bytesMax: number
  onFault(doing: string, cause: unknown): void
}

/** Blocks written at a time; what comes while the disk is behind is not kept. */
const writesMax = 8

const namePattern = /^([A-Za-z0-9_-]{22})\.(\d{1,16})\.(\d{1,16})$/

/**
 * Blocks of objects as files, least recently used out first. A file's name says which bytes of which object it holds,
 * so a restart finds what it had; what a crash left half written has the wrong size and goes. Nothing is synced: the
 * object store has it all, and every batch is held against its checksum when it is read.
 */
export class BlockFiles {
  readonly #options: BlockFilesOptions
  readonly #sizes = new Map<string, number>()
  readonly #writing = new Map<string, { isWanted: boolean }>()
  #bytes = 0

  private constructor(options: BlockFilesOptions) {
    this.#options = options
  }

  /** Throws `DiskError` where the directory cannot be made. */
  static async open(options: BlockFilesOptions): Promise<BlockFiles> {
    const files = new BlockFiles(options)
    const { disk, directory } = options
    await disk.makeDirectory(directory)
    for (const name of await disk.list(directory)) {
      const match = namePattern.exec(name)
      const size = await disk.size(`${directory}/${name}`)
      if (match !== null && size === Number(match[3]) - Number(match[2])) files.#add(name, size)
      else await disk.remove(`${directory}/${name}`)
    }
    await files.#shrink()
    return files
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Undefined where it is not held, or cannot be read. */
  async read(block: Block): Promise<Buffer | undefined> {
    const name = nameOf(block)
    const size = this.#sizes.get(name)
    if (size === undefined) return undefined
    this.#sizes.delete(name)
    this.#sizes.set(name, size)
    try {
      const file = await this.#options.disk.open(this.#pathOf(name))
      try {
        const bytes = Buffer.allocUnsafeSlow(size)
        if ((await file.read(bytes, 0)) === size) return bytes
      } finally {
        await file.close()
      }
    } catch (cause) {
      // Another read may have pushed it out meanwhile.
      if (this.#sizes.has(name)) this.#options.onFault('reading a cached block', cause)
    }
    await this.discard(block)
    return undefined
  }

  /** Never fails: a block that cannot be kept is fetched again. */
  async write(block: Block, bytes: Buffer): Promise<void> {
    const name = nameOf(block)
    if (this.#sizes.has(name) || this.#writing.has(name)) return
    if (bytes.length > this.#options.bytesMax || this.#writing.size >= writesMax) return
    const writing = { isWanted: true }
    this.#writing.set(name, writing)
    try {
      const file = await this.#options.disk.open(this.#pathOf(name), { create: true })
      try {
        await file.write([bytes], 0)
      } finally {
        await file.close()
      }
      if (writing.isWanted) this.#add(name, bytes.length)
      else await this.#remove(name)
      await this.#shrink()
    } catch (cause) {
      this.#options.onFault('keeping a block', cause)
      await this.#remove(name)
    } finally {
      this.#writing.delete(name)
    }
  }

  async discard(block: Block): Promise<void> {
    const name = nameOf(block)
    const writing = this.#writing.get(name)
    // Its file goes when it is written.
    if (writing !== undefined) writing.isWanted = false
    else await this.#remove(name)
  }

  #add(name: string, size: number): void {
    this.#bytes += size - (this.#sizes.get(name) ?? 0)
    this.#sizes.set(name, size)
  }

  async #shrink(): Promise<void> {
    while (this.#bytes > this.#options.bytesMax) await this.#remove(this.#sizes.keys().next().value!)
  }

  async #remove(name: string): Promise<void> {
    this.#bytes -= this.#sizes.get(name) ?? 0
    this.#sizes.delete(name)
    const { disk, onFault } = this.#options
    await disk.remove(this.#pathOf(name)).catch((cause: unknown) => onFault('removing a cached block', cause))
  }

  #pathOf(name: string): string {
    return `${this.#options.directory}/${name}`
  }
}

function nameOf({ uuid, start, end }: Block): string {
  return `${uuid}.${start}.${end}`
}
