import { crc32c } from '../protocol/crc32c.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Disk, DiskError, type DiskFile } from '../runtime/disk.ts'
import { newUuid, type Random } from '../runtime/random.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { walkKeys } from './folder-walk.ts'
import { checkByteRange, checkObjectKey, checkObjectKeys, listLimit } from './object-key.ts'
import { type ListedObject, type ObjectBody, type ObjectStore, ObjectStoreError } from './object-store.ts'
import { verifiedChunks } from './verified-chunks.ts'

/*
 * The object store in a folder. A key is a path below it:
 *
 *   <path>/v1/cluster/ab12/…/0-100-e1-g0-uuid    the objects; a file is always whole
 *   <path>/.incoming/<uuid>                       objects that are being written
 *
 * An object is written and synced under a name that nobody reads, and then given its key unless that is taken. A
 * crash leaves at most a file in `.incoming`, which is removed a day later. Several brokers may share a folder.
 */
const incoming = '.incoming'
const abandonedMs = 24 * 60 * 60 * 1000
const compareBytes = 1024 * 1024

export interface FolderStoreOptions extends AdmissionOptions {
  /** Absolute; made where it is missing. */
  readonly path: string
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
}

/** Rejects with `ObjectStoreError` where the folder cannot be made. */
export async function openFolderStore(options: FolderStoreOptions): Promise<ObjectStore> {
  const store = new FolderStore(options)
  await store.prepare()
  return store
}

class FolderStore implements ObjectStore {
  readonly #path: string
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #random: Random
  readonly #admission: Admission
  #making: Promise<void> = Promise.resolve()

  constructor(options: FolderStoreOptions) {
    this.#path = options.path.replace(/\/+$/, '')
    this.#disk = options.disk
    this.#clock = options.clock
    this.#random = options.random
    this.#admission = new Admission(options)
  }

  async prepare(): Promise<void> {
    const directory = `${this.#path}/${incoming}`
    await translated(async () => {
      await this.#disk.makeDirectory(directory)
      for (const { name } of await this.#disk.entries(directory)) {
        const stat = await this.#disk.stat(`${directory}/${name}`)
        if (stat && stat.modifiedAt < this.#clock.now() - abandonedMs) await this.#disk.remove(`${directory}/${name}`)
      }
    })
  }

  async put(key: string, object: ObjectBody, signal?: AbortSignal): Promise<{ readonly stored: boolean }> {
    checkObjectKey(key)
    return await this.#admitted(signal, async () => {
      const temporary = `${this.#path}/${incoming}/${newUuid(this.#random)}`
      const target = this.#pathOf(key)
      try {
        await this.#write(temporary, { key, object, signal })
        await this.#makeDirectory(target.slice(0, target.lastIndexOf('/')))
        if (await this.#disk.renameIfAbsent(temporary, target)) return { stored: true }
        await this.#disk.remove(temporary)
      } catch (cause) {
        // Best effort: what stays is removed when the store is opened a day later.
        await this.#disk.remove(temporary).catch(() => {})
        throw cause
      }
      return { stored: await this.#holds(key, object) }
    })
  }

  async getRange(key: string, range: { readonly start: number; readonly end: number }, signal?: AbortSignal) {
    checkObjectKey(key)
    checkByteRange(range)
    return await this.#admitted(signal, () =>
      this.#withFile(key, async (file) => {
        const length = Math.max(0, Math.min(range.end, await file.size()) - range.start)
        return await this.#admission.withBuffer({ bytes: length, signal }, async () => {
          // Not from the pool that small buffers share: a cache that keeps a slice would keep its neighbours.
          const bytes = Buffer.allocUnsafeSlow(length)
          return bytes.subarray(0, await file.read(bytes, range.start))
        })
      }),
    )
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly length: number } | undefined> {
    checkObjectKey(key)
    return await this.#admitted(signal, async () => {
      const stat = await unlessMissing(() => this.#disk.stat(this.#pathOf(key)))
      return stat && { length: stat.size }
    })
  }

  async list(
    prefix: string,
    options: { readonly after?: string; readonly limit?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ListedObject[]> {
    const limit = listLimit(options.limit)
    return await this.#admitted(options.signal, async () => {
      const listed: ListedObject[] = []
      if (limit === 0) return listed
      for await (const key of walkKeys({ disk: this.#disk, root: this.#path, prefix, after: options.after ?? '' })) {
        checkRunning(options.signal)
        const stat = await this.#disk.stat(this.#pathOf(key))
        // Undefined where it was deleted since its directory was read.
        if (stat) listed.push({ key, length: stat.size, modifiedAt: stat.modifiedAt })
        if (listed.length === limit) break
      }
      return listed
    })
  }

  async delete(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    checkObjectKeys(keys)
    await this.#admitted(signal, async () => {
      const directories = new Set<string>()
      for (const key of keys) {
        checkRunning(signal)
        const path = this.#pathOf(key)
        if ((await unlessMissing(() => this.#disk.stat(path))) === undefined) continue
        await this.#disk.remove(path)
        directories.add(path.slice(0, path.lastIndexOf('/')))
      }
      for (const directory of directories) await this.#disk.syncDirectory(directory)
    })
  }

  async close(): Promise<void> {
    await this.#admission.close()
  }

  /** One at a time: who finds a directory that another call is making must not go on before it is synced. */
  #makeDirectory(path: string): Promise<void> {
    const made = this.#making.then(() => this.#disk.makeDirectory(path))
    this.#making = made.catch(() => {})
    return made
  }

  #pathOf(key: string): string {
    return `${this.#path}/${key}`
  }

  async #admitted<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return await translated(() => this.#admission.admit(signal, run))
  }

  async #write(
    path: string,
    { key, object, signal }: { key: string; object: ObjectBody; signal: AbortSignal | undefined },
  ): Promise<void> {
    const file = await this.#disk.open(path, { create: true })
    try {
      let position = 0
      for await (const chunk of verifiedChunks(key, object)) {
        checkRunning(signal)
        await file.write([chunk], position)
        position += chunk.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Whether the object under `key` has the length and checksum of this one. */
  async #holds(key: string, object: ObjectBody): Promise<boolean> {
    const isSame = await this.#withFile(key, async (file) => {
      if ((await file.size()) !== object.length) return false
      const piece = Buffer.allocUnsafeSlow(Math.min(compareBytes, object.length))
      let checksum = 0
      for (let position = 0; position < object.length;) {
        const count = await file.read(piece, position)
        if (count === 0) return false
        checksum = crc32c(piece.subarray(0, count), checksum)
        position += count
      }
      return checksum === object.crc32c
    })
    return isSame ?? false
  }

  async #withFile<T>(key: string, use: (file: DiskFile) => Promise<T>): Promise<T | undefined> {
    const file = await unlessMissing(() => this.#disk.open(this.#pathOf(key)))
    if (file === undefined) return undefined
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  }
}

function checkRunning(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ObjectStoreError('away', 'the call was aborted', signal.reason)
}

/** A name in the way (a file where a key has a directory, or the other way round) means that there is no such object. */
const missingCodes: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR'])

async function unlessMissing<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof DiskError && missingCodes.has(cause.code)) return undefined
    throw cause
  }
}

/** What no second try changes. Everything else, a full disk too, may pass. */
const refusedCodes: ReadonlySet<string> = new Set([
  'ENAMETOOLONG',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTSUP',
])

async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof DiskError)) throw cause
    throw new ObjectStoreError(refusedCodes.has(cause.code) ? 'refused' : 'away', `the folder: ${cause.message}`, cause)
  }
}
