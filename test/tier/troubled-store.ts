import { type ListedObject, type ObjectBody, type ObjectStore, ObjectStoreError } from '../../broker/objects/object-store.ts'
import { MemoryStore } from '../support/memory-store.ts'

export type StoreCall = 'put' | 'getRange' | 'head' | 'list' | 'delete'

/** A store in memory in which the test can make calls fail, hang or lie. */
export class TroubledStore implements ObjectStore {
  readonly #store: ObjectStore
  /** Called before each call: throw to fail it before it takes effect, return a promise to delay it. */
  before: (call: StoreCall, key: string) => unknown = () => {}
  /** Called after a call took effect: throw to lose the answer. */
  behind: (call: StoreCall, key: string) => unknown = () => {}
  /** Changes what a read returns. */
  damage: (key: string, bytes: Buffer, start: number) => Buffer = (_, bytes) => bytes
  readonly calls: { readonly call: StoreCall; readonly key: string }[] = []

  constructor(store: ObjectStore = new MemoryStore()) {
    this.#store = store
  }

  static away(): never {
    throw new ObjectStoreError('away', 'the store is away')
  }

  put(key: string, object: ObjectBody, signal?: AbortSignal): Promise<{ readonly stored: boolean }> {
    return this.#call('put', key, () => this.#store.put(key, object, signal))
  }

  getRange(key: string, range: { start: number; end: number }, signal?: AbortSignal): Promise<Buffer | undefined> {
    return this.#call('getRange', key, async () => {
      const bytes = await this.#store.getRange(key, range, signal)
      return bytes && this.damage(key, bytes, range.start)
    })
  }

  head(key: string, signal?: AbortSignal): Promise<{ readonly length: number } | undefined> {
    return this.#call('head', key, () => this.#store.head(key, signal))
  }

  list(prefix: string, options?: { after?: string; limit?: number; signal?: AbortSignal }): Promise<ListedObject[]> {
    return this.#call('list', prefix, () => this.#store.list(prefix, options))
  }

  delete(keys: readonly string[], signal?: AbortSignal): Promise<void> {
    return this.#call('delete', keys.join(), () => this.#store.delete(keys, signal))
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async keys(): Promise<string[]> {
    return (await this.#store.list('')).map(({ key }) => key)
  }

  async #call<T>(call: StoreCall, key: string, run: () => Promise<T>): Promise<T> {
    this.calls.push({ call, key })
    await this.before(call, key)
    const result = await run()
    await this.behind(call, key)
    return result
  }
}
