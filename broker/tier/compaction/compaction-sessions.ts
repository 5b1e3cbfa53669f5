import type { Uuid } from '../../runtime/random.ts'
import { TierError, tierErrorOf } from '../tier-error.ts'
import type { UploadedObject } from '../tier-io.ts'
import type {
  CompactionCounts, CompactionGroup, CompactionIo, CompactionOpening, FilledObject, LearntKeys, ObjectToStore,
} from './compaction-io.ts'
import { CompactionSession, type CompactionSessionOptions } from './compaction-session.ts'

/** The one session that there may be: two would take twice the memory. */
export class CompactionSessions implements CompactionIo {
  readonly #options: CompactionSessionOptions
  #current: { readonly id: Uuid; readonly session: CompactionSession } | undefined

  constructor(options: CompactionSessionOptions) {
    this.#options = options
  }

  openCompaction(opening: CompactionOpening): Promise<LearntKeys> {
    this.end()
    this.#current = { id: opening.session, session: new CompactionSession(this.#options, opening) }
    return this.#run('learning keys', opening.session, (session) => session.learn())
  }

  beginGroup(group: CompactionGroup): Promise<void> {
    return this.#run('beginning a group', group.session, (session) => session.begin(group))
  }

  nextObject(session: Uuid): Promise<FilledObject | undefined> {
    return this.#run('filtering', session, (current) => current.next())
  }

  storeObject(object: ObjectToStore): Promise<UploadedObject> {
    return this.#run('storing', object.session, (session) => session.store(object))
  }

  async closeCompaction(session: Uuid): Promise<CompactionCounts | undefined> {
    if (this.#current?.id !== session) return undefined
    const { counts } = this.#current.session
    this.end()
    return counts
  }

  end(): void {
    this.#current?.session.end()
    this.#current = undefined
  }

  async #run<T>(doing: string, id: Uuid, run: (session: CompactionSession) => Promise<T>): Promise<T> {
    if (this.#current?.id !== id) throw new TierError('away', `${doing}: another compaction has begun, or this one has ended`)
    try {
      return await run(this.#current.session)
    } catch (cause) {
      throw tierErrorOf(`compacting: ${doing}`, cause)
    }
  }
}
