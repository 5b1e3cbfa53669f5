/**
 * The disk as the broker sees it: files under one or more directories, with the durability steps spelled out,
 * so that a simulation can lose whatever was not synced. Paths are absolute. A missing file is an `undefined`
 * or a `DiskError` with code `ENOENT`; every other failure is a `DiskError` with the system's code.
 */
export interface Disk {
  /** Opens for reading and writing. `create` makes an empty file where there is none. */
  open(path: string, options?: { create?: boolean }): Promise<DiskFile>
  /** The whole file, or undefined where there is none. For small files: the caller bounds the size. */
  readFile(path: string): Promise<Buffer | undefined>
  /**
   * Replaces a file so that a crash leaves either the old or the new content: temporary file, sync, rename,
   * sync of the directory.
   */
  replaceFile(path: string, bytes: Uint8Array): Promise<void>
  /** The names in a directory, sorted; empty where the directory does not exist. */
  list(directory: string): Promise<string[]>
  /** What a directory holds, in no order; empty where the directory does not exist. */
  entries(directory: string): Promise<DirectoryEntry[]>
  /** Undefined where there is no file of that name; a directory is none. */
  stat(path: string): Promise<FileStat | undefined>
  /** Size in bytes, or undefined where there is no such file. */
  size(path: string): Promise<number | undefined>
  /** Makes a directory and its parents, and syncs the parent of each one made. */
  makeDirectory(path: string): Promise<void>
  /** Within one file system. The directories of both paths are synced. */
  rename(from: string, to: string): Promise<void>
  /**
   * As `rename`, to a name that has to be free: false, and nothing is moved, where it is taken. Of several at once
   * one gets the name.
   */
  renameIfAbsent(from: string, to: string): Promise<boolean>
  /** Removes a file; no error where there is none. */
  remove(path: string): Promise<void>
  /** Removes a directory with all that is in it; no error where there is none. */
  removeDirectory(path: string): Promise<void>
  /** Makes creations and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>
  /** Size of the file system that holds `path`, and what of it is free for this user, in bytes. */
  space(path: string): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>
}

export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface FileStat {
  /** Bytes. */
  readonly size: number
  /** Wall-clock milliseconds of the last write. */
  readonly modifiedAt: number
}

export interface DiskFile {
  /** Fills `target` from `position` on; resolves to the number of bytes read, less than asked only at the end. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Writes all buffers one after another at `position`, whole or with an error: after one, cut the file back. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Returns once data and size are on stable storage. After an error nothing is known of what was written before. */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export class DiskError extends Error {
  /** The system's code: `ENOENT`, `ENOSPC`, `EIO` and so on. */
  readonly code: string
  /** What was tried: `sync` and `sync directory` among them. */
  readonly operation: string
  readonly path: string
  constructor(operation: string, path: string, cause: unknown) {
    const code = (cause as { code?: string } | undefined)?.code ?? 'EUNKNOWN'
    super(`${operation} ${path}: ${code}`, { cause })
    this.name = 'DiskError'
    this.code = code
    this.operation = operation
    this.path = path
  }
}
