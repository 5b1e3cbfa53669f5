import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Disk, DiskError, type DiskFile } from './disk.ts'

/** The callback forms of `fs` are used on the hot path: a FileHandle costs several promises more per call. */
class NodeDiskFile implements DiskFile {
  readonly #fd: number
  readonly #path: string
  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let filled = 0
      const next = () => {
        fs.read(this.#fd, target, filled, target.length - filled, position + filled, (error, count) => {
          if (error) return reject(new DiskError('read', this.#path, error))
          filled += count
          if (count === 0 || filled === target.length) return resolve(filled)
          next()
        })
      }
      next()
    })
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = buffers
      const next = (at: number) => {
        // IOV_MAX is 1,024 on Linux and macOS; a short write goes on behind what was taken.
        const now = left.length > 1024 ? left.slice(0, 1024) : left
        fs.writev(this.#fd, now, at, (error, count) => {
          if (error) return reject(new DiskError('write', this.#path, error))
          left = without(left, count)
          if (left.length === 0) return resolve()
          next(at + count)
        })
      }
      if (buffers.length === 0) resolve()
      else next(position)
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error ? reject(new DiskError('sync', this.#path, error)) : resolve()))
    })
  }

  truncate(size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#fd, size, (error) => (error ? reject(new DiskError('truncate', this.#path, error)) : resolve()))
    })
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, stat) => (error ? reject(new DiskError('stat', this.#path, error)) : resolve(stat.size)))
    })
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#fd, (error) => (error ? reject(new DiskError('close', this.#path, error)) : resolve()))
    })
  }
}

function without(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let index = 0
  let left = count
  while (index < buffers.length && left >= buffers[index]!.length) left -= buffers[index++]!.length
  if (left === 0) return buffers.slice(index)
  return [buffers[index]!.subarray(left), ...buffers.slice(index + 1)]
}

async function attempt<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw cause instanceof DiskError ? cause : new DiskError(operation, path, cause)
  }
}

async function unlessMissing<T>(operation: string, path: string, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return undefined
    throw new DiskError(operation, path, cause)
  }
}

async function syncDirectory(path: string): Promise<void> {
  await attempt('sync directory', path, async () => {
    const handle = await fsp.open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
}

async function linkUnlessTaken(from: string, to: string): Promise<boolean> {
  try {
    await fsp.link(from, to)
    return true
  } catch (cause) {
    if ((cause as { code?: string }).code === 'EEXIST') return false
    throw cause
  }
}

export const nodeDisk: Disk = {
  open(path, options = {}) {
    const flags = fs.constants.O_RDWR | (options.create ? fs.constants.O_CREAT : 0)
    return new Promise((resolve, reject) => {
      fs.open(path, flags, 0o644, (error, fd) => {
        if (error) reject(new DiskError('open', path, error))
        else resolve(new NodeDiskFile(fd, path))
      })
    })
  },

  readFile: (path) => unlessMissing('read', path, () => fsp.readFile(path)),

  async replaceFile(path, bytes) {
    const temporary = join(dirname(path), `.${basename(path)}.new`)
    await attempt('replace', path, async () => {
      await fsp.writeFile(temporary, bytes, { flush: true })
      await fsp.rename(temporary, path)
    })
    await syncDirectory(dirname(path))
  },

  async list(directory) {
    const names = await unlessMissing('list', directory, () => fsp.readdir(directory))
    return (names ?? []).sort()
  },

  async entries(directory) {
    const found = await unlessMissing('list', directory, () => fsp.readdir(directory, { withFileTypes: true }))
    return (found ?? []).map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
  },

  async stat(path) {
    const found = await unlessMissing('stat', path, () => fsp.stat(path))
    return found?.isFile() ? { size: found.size, modifiedAt: found.mtimeMs } : undefined
  },

  size: (path) => unlessMissing('stat', path, async () => (await fsp.stat(path)).size),

  async makeDirectory(path) {
    const first = await attempt('make directory', path, () => fsp.mkdir(path, { recursive: true }))
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
  },

  async rename(from, to) {
    await attempt('rename', from, () => fsp.rename(from, to))
    await syncDirectory(dirname(to))
    if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from))
  },

  async renameIfAbsent(from, to) {
    // Node has no rename that spares what is there. A second name, then the first one away: a crash between the
    // two leaves both, and the content under `to` whole.
    const isFree = await attempt('rename', from, () => linkUnlessTaken(from, to))
    if (!isFree) return false
    await syncDirectory(dirname(to))
    await attempt('rename', from, () => fsp.unlink(from))
    if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from))
    return true
  },

  remove: (path) => attempt('remove', path, () => fsp.rm(path, { force: true })),

  removeDirectory: (path) => attempt('remove', path, () => fsp.rm(path, { force: true, recursive: true })),

  syncDirectory,

  space: (path) =>
    attempt('stat', path, async () => {
      const stat = await fsp.statfs(path)
      return { totalBytes: stat.blocks * stat.bsize, freeBytes: stat.bavail * stat.bsize }
    }),
}
