import { readCharacterEscape, readClassEscape } from './escapes.ts'
import type { Source } from './source.ts'
import { type CharacterSet, folded, InvalidRegex, merged, negated, posixClasses, setOf } from './syntax.ts'

/** What stands between brackets. */
export class ClassParser {
  readonly #source: Source
  readonly #foldCase: boolean

  constructor(source: Source, { foldCase }: { readonly foldCase: boolean }) {
    this.#source = source
    this.#foldCase = foldCase
  }

  parse(): CharacterSet {
    const isNegated = this.#source.skip('^')
    const sets: CharacterSet[] = []
    // A bracket that closes at once stands for itself.
    for (let isFirst = true; isFirst || !this.#source.sees(']'); isFirst = false) {
      if (this.#source.isAtEnd) throw new InvalidRegex('missing ]')
      sets.push(this.#item())
    }
    this.#source.skip(']')
    const set = this.#foldCase ? folded(merged(sets)) : merged(sets)
    return isNegated ? negated(set) : set
  }

  #item(): CharacterSet {
    const posix = this.#source.skipMatch(/\[:(\^?)([a-z]+):\]/y)
    if (posix !== undefined) {
      const set = posixClasses.get(posix[2]!)
      if (set === undefined) throw new InvalidRegex(`there is no character class ${posix[0]}`)
      return posix[1] === '^' ? negated(set) : set
    }
    const start = this.#bound()
    if (typeof start !== 'number') return start
    // A dash before the closing bracket stands for itself.
    if (this.#source.skipMatch(/-(?!\])/y) === undefined) return setOf((code) => code === start)
    const end = this.#bound()
    if (typeof end !== 'number' || end < start) throw new InvalidRegex('a range of characters is out of order')
    return setOf((code) => code >= start && code <= end)
  }

  #bound(): CharacterSet | number {
    if (!this.#source.skip('\\')) return this.#source.nextCode()
    return readClassEscape(this.#source) ?? readCharacterEscape(this.#source)
  }
}
