import type { Topic, Topics } from '../../broker/coordinator/topics.ts'

/** Topics that come and go as a test says. */
export class FakeTopics implements Topics {
  readonly #topics = new Map<string, Topic>()
  readonly #listeners: ((deleted: readonly string[]) => void)[] = []
  version = 1

  constructor(counts: Readonly<Record<string, number>> = {}) {
    for (const [name, partitionCount] of Object.entries(counts)) this.put(name, partitionCount)
  }

  /** Makes a topic, or lets one grow. */
  put(name: string, partitionCount: number, id = `id-of-${name}`): void {
    this.#topics.set(name, { id, name, partitionCount })
    this.#changed([])
  }

  remove(name: string): void {
    const id = this.#topics.get(name)?.id
    this.#topics.delete(name)
    this.#changed(id === undefined ? [] : [id])
  }

  #changed(deleted: readonly string[]): void {
    this.version += 1
    for (const listener of this.#listeners) listener(deleted)
  }

  byName(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  byId(id: string): Topic | undefined {
    return [...this.#topics.values()].find((topic) => topic.id === id)
  }

  names(): Iterable<string> {
    return this.#topics.keys()
  }

  onChange(listener: (deleted: readonly string[]) => void): void {
    this.#listeners.push(listener)
  }
}
