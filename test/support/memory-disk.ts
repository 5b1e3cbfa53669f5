// A disk in memory that can lose its power, and with it the process that had it mounted. Between two syncs it owes nothing to anybody: see memory-disk-file.ts for what
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

export class MemoryDisk {
  readonly random: SeededRandom
  root = new DirectoryNode()
  bytesMax: number
  /** Operations so far. */
  operations = 0
  /** The operation during which the power goes; Infinity: none. From then on everything fails until `crash`. */
  powerLossAt = Infinity
  /** The code with which an operation fails; undefined: it goes on. A failed write has written a part. */
  fault: (operation: Operation) => string | undefined = () => undefined
  readonly #writeBack: number
  readonly #handles = new Set<DiskFile>()
  #mounts = 0

  constructor({ seed, bytesMax = Infinity, writeBack = 0 }: MemoryDiskOptions) {
    this.random = new SeededRandom(seed)
    this.bytesMax = bytesMax
    this.#writeBack = writeBack
  }

  get hasPower(): boolean {
    return this.operations < this.powerLossAt
  }

  /** Files that the process has open; with its end they are closed. */
  get openFiles(): number {
    return this.#handles.size
  }

  /** The disk as one process has it: until the next crash, kill or mount. */
  mount(): Disk {
    this.#mounts++
    this.#handles.clear()
    return new MountedDisk(this, this.#mounts, this.#handles)
  }

  /** Another disk, with nothing on it, is in its place. */
  replace(): void {
    this.crash()
    this.root = new DirectoryNode()
  }

  /** The power goes and comes back. */
  crash(): void {
    this.killProcess()
    this.root.crash(this.random)
  }

  /** The process ends without a word, and the kernel keeps what was written. */
  killProcess(): void {
    this.#mounts++
    this.#handles.clear()
    this.powerLossAt = Infinity
  }

  /** Of all files; what programs see. */
  get usedBytes(): number {
    return usedBytes(this.root)
  }

  /** Every file with its content as programs see it. For comparisons. */
  files(node: MemoryNode = this.root, path = ''): Map<string, Buffer> {
    if (node.kind === 'file') return new Map([[path, node.content()]])
    return new Map([...node.entries].flatMap(([name, child]) => [...this.files(child, `${path}/${name}`)]))
  }

  /** Makes, changes or (undefined) removes a file from outside, durably. */
  edit(path: string, change: (content: Buffer) => Buffer | undefined): void {
    const node = this.node(path)
    const content = change(node?.kind === 'file' ? node.content() : Buffer.alloc(0))
    const file = new FileNode()
    if (content !== undefined) file.write(content, 0)
    file.sync()
    const directory = this.parent(path, 'open')
    directory.change([basename(path), content === undefined ? undefined : file])
    directory.sync()
  }

  flipBit(path: string, bit: number): void {
    this.file(path, 'read').flipBit(bit)
  }

  node(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of path.split('/')) {
      if (name !== '') node = node?.kind === 'directory' ? node.entries.get(name) : undefined
    }
    return node
  }

  directory(path: string): DirectoryNode | undefined {
    const node = this.node(path)
    return node?.kind === 'directory' ? node : undefined
  }

  parent(path: string, kind: OperationKind): DirectoryNode {
    const parent = this.directory(dirname(path))
    if (parent === undefined) throw failure({ kind, path }, 'ENOENT')
    return parent
  }

  file(path: string, kind: OperationKind): FileNode {
    const node = this.node(path)
    if (node?.kind !== 'file') throw failure({ kind, path }, 'ENOENT')
    return node
  }

  /** One step of a process: it may fail, and it may be the last one. `run` is told how it is to fail, if it is. */
  async step<T>(operation: Operation, mount: number, run: (failing: { readonly isLast: boolean; readonly code: string | undefined }) => T): Promise<T> {
    for (let turns = this.random.below(3); turns > 0; turns--) await undefined
    await undefined
    if (mount !== this.#mounts || !this.hasPower) throw failure(operation, 'ENODEV')
    this.operations++
    const isLast = !this.hasPower
    // Half of the last operations take place, in part or as a whole, and half do not.
    if (isLast && this.random.chance(0.5)) throw failure(operation, 'ENODEV')
    const result = run({ isLast, code: this.fault(operation) })
    if (isLast) throw failure(operation, 'ENODEV')
    return result
  }

  /** As much of a write as there is room for. */
  write(file: FileNode, of: { readonly bytes: Buffer; readonly position: number; readonly isCut: boolean }): { readonly isFull: boolean } {
    const room = this.bytesMax === Infinity ? Infinity : this.bytesMax - this.usedBytes
    const grows = Math.max(of.position + of.bytes.length - file.size, 0)
    const isFull = grows > room
    let length = of.bytes.length
    if (isFull) length = Math.max(length - grows + Math.max(room, 0), 0)
    else if (of.isCut) length = this.random.between(0, length)
    file.write(of.bytes.subarray(0, length), of.position)
    if (this.random.chance(this.#writeBack)) file.writeBack(this.random)
    return { isFull }
  }
}

class MountedDisk implements Disk {
  readonly #disk: MemoryDisk
  readonly #mount: number
  readonly #handles: Set<DiskFile>

  constructor(disk: MemoryDisk, mount: number, handles: Set<DiskFile>) {
    this.#disk = disk
    this.#mount = mount
    this.#handles = handles
  }

  #do<T>(kind: OperationKind, path: string, run: () => T): Promise<T> {
    return this.#disk.step({ kind, path }, this.#mount, ({ code }) => {
      if (code !== undefined) throw failure({ kind, path }, code)
      return run()
    })
  }

  async open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    const file = await this.#do('open', path, () => {
      if (options.create && this.#disk.node(path) === undefined) this.#disk.parent(path, 'open').change([basename(path), new FileNode()])
      return this.#disk.file(path, 'open')
    })
    const handle: DiskFile = {
      read: (target, position) => this.#do('read', path, () => file.read(target, position)),
      write: (buffers, position) => this.#write(file, { path, bytes: Buffer.concat(buffers), position }),
      sync: () => this.#sync(file, path),
      truncate: (size) => this.#do('truncate', path, () => file.truncate(size)),
      size: async () => file.size,
      close: async () => {
        this.#handles.delete(handle)
      },
    }
    this.#handles.add(handle)
    return handle
  }

  #write(file: FileNode, { path, bytes, position }: { path: string; bytes: Buffer; position: number }): Promise<void> {
    const operation: Operation = { kind: 'write', path }
    return this.#disk.step(operation, this.#mount, ({ isLast, code }) => {
      const { isFull } = this.#disk.write(file, { bytes, position, isCut: isLast || code !== undefined })
      if (isFull || code !== undefined) throw failure(operation, code ?? 'ENOSPC')
    })
  }

  #sync(file: FileNode, path: string): Promise<void> {
    const operation: Operation = { kind: 'sync', path }
    return this.#disk.step(operation, this.#mount, ({ isLast, code }) => {
      if (code === undefined && !isLast) return file.sync()
      if (isLast) return file.writeBack(this.#disk.random)
      file.failSync(this.#disk.random)
      throw failure(operation, code!)
    })
  }

  readFile(path: string): Promise<Buffer | undefined> {
    return this.#do('read', path, () => {
      const node = this.#disk.node(path)
      return node?.kind === 'file' ? node.content() : undefined
    })
  }

  async replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${dirname(path)}/.${basename(path)}.new`
    const file = await this.open(temporary, { create: true })
    try {
      await file.truncate(0)
      await file.write([bytes], 0)
      await file.sync()
    } finally {
      void file.close()
    }
    await this.rename(temporary, path)
  }

  list(directory: string): Promise<string[]> {
    return this.#do('list', directory, () => [...(this.#disk.directory(directory)?.entries.keys() ?? [])].sort())
  }

  entries(directory: string): Promise<{ name: string; isDirectory: boolean }[]> {
    return this.#do('list', directory, () =>
      [...(this.#disk.directory(directory)?.entries ?? [])].map(([name, node]) => ({ name, isDirectory: node.kind === 'directory' })))
  }

  async stat(path: string): Promise<{ size: number; modifiedAt: number } | undefined> {
    const size = await this.size(path)
    return size === undefined ? undefined : { size, modifiedAt: 0 }
  }

  size(path: string): Promise<number | undefined> {
    return this.#do('read', path, () => {
      const node = this.#disk.node(path)
      return node?.kind === 'file' ? node.size : undefined
    })
  }

  async makeDirectory(path: string): Promise<void> {
    if (this.#disk.directory(path) !== undefined) return
    if (dirname(path) !== path) await this.makeDirectory(dirname(path))
    await this.#do('make directory', path, () => {
      if (this.#disk.directory(path) === undefined) this.#disk.parent(path, 'make directory').change([basename(path), new DirectoryNode()])
    })
    await this.syncDirectory(dirname(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#do('rename', from, () => {
      const file = this.#disk.file(from, 'rename')
      if (dirname(from) === dirname(to)) return this.#disk.parent(to, 'rename').change([basename(from), undefined], [basename(to), file])
      this.#disk.parent(to, 'rename').change([basename(to), file])
      this.#disk.parent(from, 'rename').change([basename(from), undefined])
    })
    await this.syncDirectory(dirname(to))
    if (dirname(from) !== dirname(to)) await this.syncDirectory(dirname(from))
  }

  async renameIfAbsent(from: string, to: string): Promise<boolean> {
    if (this.#disk.node(to) !== undefined) return false
    await this.rename(from, to)
    return true
  }

  remove(path: string): Promise<void> {
    return this.#do('remove', path, () => {
      if (this.#disk.node(path)?.kind === 'file') this.#disk.parent(path, 'remove').change([basename(path), undefined])
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.#do('remove', path, () => {
      if (this.#disk.directory(path) !== undefined) this.#disk.parent(path, 'remove').change([basename(path), undefined])
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.step({ kind: 'sync directory', path }, this.#mount, ({ isLast, code }) => {
      if (code !== undefined) throw failure({ kind: 'sync directory', path }, code)
      if (!isLast) this.#disk.directory(path)?.sync()
    })
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    const { bytesMax, usedBytes } = this.#disk
    return { totalBytes: bytesMax, freeBytes: Math.max(bytesMax - usedBytes, 0) }
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
