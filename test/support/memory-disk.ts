// A disk in memory that can lose its power. Between two syncs it owes nothing to anybody: see memory-disk-file.ts for what
// a crash leaves. Everything that happens by chance comes from one seed, and everything takes a few turns of the promise
// queue, so that operations overlap as they do on a real disk.

import { basename, dirname } from 'node:path'
import { type Disk, DiskError, type DiskFile } from '../../broker/runtime/disk.ts'
import { DirectoryNode, FileNode, type MemoryNode } from './memory-disk-file.ts'
import { SeededRandom } from './seeded-random.ts'

export type OperationKind = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'list' | 'rename' | 'remove' | 'make directory' | 'sync directory'

export interface Operation {
  readonly kind: OperationKind
  readonly path: string
}

export interface MemoryDiskOptions {
  readonly seed: number
  /** Of all files together; what does not fit fails with ENOSPC behind a short write. */
  readonly bytesMax?: number
  /** The probability with which the kernel writes back on its own after a write. */
  readonly writeBack?: number
}

export class MemoryDisk implements Disk {
  readonly random: SeededRandom
  bytesMax: number
  /** Operations so far. */
  operations = 0
  /** The operation during which the power goes; Infinity: none. From then on everything fails until `crash`. */
  powerLossAt = Infinity
  /** The code with which an operation fails; undefined: it goes on. A failed write has written a part. */
  fault: (operation: Operation) => string | undefined = () => undefined
  readonly #writeBack: number
  readonly #root = new DirectoryNode()
  #generation = 0

  constructor({ seed, bytesMax = Infinity, writeBack = 0 }: MemoryDiskOptions) {
    this.random = new SeededRandom(seed)
    this.bytesMax = bytesMax
    this.#writeBack = writeBack
  }

  get hasPower(): boolean {
    return this.operations < this.powerLossAt
  }

  /** The power goes and comes back: what was open is of no use any more. */
  crash(): void {
    this.#generation++
    this.powerLossAt = Infinity
    this.#root.crash(this.random)
  }

  /** The process ends without a word, and the kernel keeps what was written. */
  killProcess(): void {
    this.#generation++
    this.powerLossAt = Infinity
  }

  /** Of all files; what programs see. */
  get usedBytes(): number {
    return usedBytes(this.#root)
  }

  /** Every file with its content as programs see it. For comparisons. */
  files(node: MemoryNode = this.#root, path = ''): Map<string, Buffer> {
    if (node.kind === 'file') return new Map([[path, node.content()]])
    return new Map([...node.entries].flatMap(([name, child]) => [...this.files(child, `${path}/${name}`)]))
  }

  /** Changes a file from outside, durably; undefined removes it. */
  edit(path: string, change: (content: Buffer) => Buffer | undefined): void {
    const content = change(this.#file(path, 'edit').content())
    const directory = this.#directory(dirname(path))!
    const file = new FileNode()
    if (content !== undefined) file.write(content, 0)
    file.sync()
    directory.change([basename(path), content === undefined ? undefined : file])
    directory.sync()
  }

  flipBit(path: string, bit: number): void {
    this.#file(path, 'flip').flipBit(bit)
  }

  /** One step of the disk: it may fail or be the last one. Returns whether the power goes during it. */
  async #step(operation: Operation, generation = this.#generation): Promise<{ readonly isLast: boolean; readonly code: string | undefined }> {
    for (let turns = this.random.below(3); turns >= 0; turns--) await undefined
    if (generation !== this.#generation || !this.hasPower) throw failure(operation, 'ENODEV')
    this.operations++
    const isLast = !this.hasPower
    // Half of the last operations take place, in part or as a whole, and half do not.
    if (isLast && this.random.chance(0.5)) throw failure(operation, 'ENODEV')
    return { isLast, code: this.fault(operation) }
  }

  async #do<T>(operation: Operation, run: () => T): Promise<T> {
    const { isLast, code } = await this.#step(operation)
    if (code !== undefined) throw failure(operation, code)
    const result = run()
    if (isLast) throw failure(operation, 'ENODEV')
    return result
  }

  #node(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.#root
    for (const name of path.split('/')) {
      if (name !== '') node = node?.kind === 'directory' ? node.entries.get(name) : undefined
    }
    return node
  }

  #directory(path: string): DirectoryNode | undefined {
    const node = this.#node(path)
    return node?.kind === 'directory' ? node : undefined
  }

  #parent(path: string, kind: OperationKind): DirectoryNode {
    const parent = this.#directory(dirname(path))
    if (parent === undefined) throw failure({ kind, path }, 'ENOENT')
    return parent
  }

  #file(path: string, operation: string): FileNode {
    const node = this.#node(path)
    if (node?.kind !== 'file') throw new DiskError(operation, path, { code: 'ENOENT' })
    return node
  }

  async open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    const file = await this.#do({ kind: 'open', path }, () => {
      if (options.create && this.#node(path) === undefined) this.#parent(path, 'open').change([basename(path), new FileNode()])
      return this.#file(path, 'open')
    })
    return this.#handle(file, path)
  }

  #handle(file: FileNode, path: string): DiskFile {
    const generation = this.#generation
    const alive = async <T>(kind: OperationKind, run: () => T): Promise<T> => {
      if (generation !== this.#generation) throw failure({ kind, path }, 'ENODEV')
      return this.#do({ kind, path }, run)
    }
    return {
      read: (target, position) => alive('read', () => file.read(target, position)),
      write: (buffers, position) => this.#write(file, { path, generation, bytes: Buffer.concat(buffers), position }),
      sync: () => this.#sync(file, { path, generation }),
      truncate: (size) => alive('truncate', () => file.truncate(size)),
      size: async () => file.size,
      close: async () => {},
    }
  }

  async #write(file: FileNode, of: { path: string; generation: number; bytes: Buffer; position: number }): Promise<void> {
    const operation: Operation = { kind: 'write', path: of.path }
    const { isLast, code } = await this.#step(operation, of.generation)
    const room = this.bytesMax === Infinity ? Infinity : this.bytesMax - this.usedBytes
    const grows = Math.max(of.position + of.bytes.length - file.size, 0)
    const isFull = grows > room
    let length = of.bytes.length
    if (isFull) length = Math.max(length - grows + room, 0)
    else if (isLast || code !== undefined) length = this.random.between(0, length)
    file.write(of.bytes.subarray(0, length), of.position)
    if (this.random.chance(this.#writeBack)) file.writeBack(this.random)
    if (isLast) throw failure(operation, 'ENODEV')
    if (isFull || code !== undefined) throw failure(operation, code ?? 'ENOSPC')
  }

  async #sync(file: FileNode, { path, generation }: { path: string; generation: number }): Promise<void> {
    const operation: Operation = { kind: 'sync', path }
    const { isLast, code } = await this.#step(operation, generation)
    if (isLast) throw failure(operation, 'ENODEV')
    if (code !== undefined) {
      file.failSync(this.random)
      throw failure(operation, code)
    }
    file.sync()
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    return this.#do({ kind: 'read', path }, () => {
      const node = this.#node(path)
      return node?.kind === 'file' ? node.content() : undefined
    })
  }

  async replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${dirname(path)}/.${basename(path)}.new`
    const file = await this.open(temporary, { create: true })
    await file.truncate(0)
    await file.write([bytes], 0)
    await file.sync()
    await this.rename(temporary, path)
  }

  async list(directory: string): Promise<string[]> {
    return this.#do({ kind: 'list', path: directory }, () => [...(this.#directory(directory)?.entries.keys() ?? [])].sort())
  }

  async entries(directory: string): Promise<{ name: string; isDirectory: boolean }[]> {
    return this.#do({ kind: 'list', path: directory }, () =>
      [...(this.#directory(directory)?.entries ?? [])].map(([name, node]) => ({ name, isDirectory: node.kind === 'directory' })))
  }

  async stat(path: string): Promise<{ size: number; modifiedAt: number } | undefined> {
    const size = await this.size(path)
    return size === undefined ? undefined : { size, modifiedAt: 0 }
  }

  async size(path: string): Promise<number | undefined> {
    return this.#do({ kind: 'read', path }, () => {
      const node = this.#node(path)
      return node?.kind === 'file' ? node.size : undefined
    })
  }

  async makeDirectory(path: string): Promise<void> {
    if (this.#directory(path) !== undefined) return
    if (dirname(path) !== path) await this.makeDirectory(dirname(path))
    await this.#do({ kind: 'make directory', path }, () => {
      if (this.#directory(path) === undefined) this.#parent(path, 'make directory').change([basename(path), new DirectoryNode()])
    })
    await this.syncDirectory(dirname(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#do({ kind: 'rename', path: from }, () => {
      const file = this.#file(from, 'rename')
      if (dirname(from) === dirname(to)) return this.#parent(to, 'rename').change([basename(from), undefined], [basename(to), file])
      this.#parent(to, 'rename').change([basename(to), file])
      this.#parent(from, 'rename').change([basename(from), undefined])
    })
    await this.syncDirectory(dirname(to))
    if (dirname(from) !== dirname(to)) await this.syncDirectory(dirname(from))
  }

  async renameIfAbsent(from: string, to: string): Promise<boolean> {
    if (this.#node(to) !== undefined) return false
    await this.rename(from, to)
    return true
  }

  async remove(path: string): Promise<void> {
    await this.#do({ kind: 'remove', path }, () => {
      if (this.#node(path)?.kind === 'file') this.#parent(path, 'remove').change([basename(path), undefined])
    })
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#do({ kind: 'remove', path }, () => {
      if (this.#directory(path) !== undefined) this.#parent(path, 'remove').change([basename(path), undefined])
    })
  }

  async syncDirectory(path: string): Promise<void> {
    const { isLast, code } = await this.#step({ kind: 'sync directory', path })
    if (isLast) throw failure({ kind: 'sync directory', path }, 'ENODEV')
    if (code !== undefined) throw failure({ kind: 'sync directory', path }, code)
    this.#directory(path)?.sync()
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return { totalBytes: this.bytesMax, freeBytes: Math.max(this.bytesMax - this.usedBytes, 0) }
  }
}

function failure(operation: Operation, code: string): DiskError {
  return new DiskError(operation.kind, operation.path, { code })
}

function usedBytes(node: MemoryNode): number {
  if (node.kind === 'file') return node.size
  let bytes = 0
  for (const child of node.entries.values()) bytes += usedBytes(child)
  return bytes
}
