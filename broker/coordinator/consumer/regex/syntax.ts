// RE2's syntax, as far as it can say something about topic names. Those are made of 64 ASCII characters, so a set of
// characters is a table of 128, and what lies beyond ASCII matches nothing.

/** Which of the first 128 characters belong. */
export type CharacterSet = Uint8Array

export type Node =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  /** `max` Infinity: without end. */
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'wordBoundary' | 'noWordBoundary' }

export class InvalidRegex extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'InvalidRegex'
  }
}

export const alphabetLength = 128

export function setOf(belongs: (code: number) => boolean): CharacterSet {
  return Uint8Array.from({ length: alphabetLength }, (_, code) => (belongs(code) ? 1 : 0))
}

export function single(code: number, options: { readonly foldCase: boolean }): CharacterSet {
  const other = options.foldCase ? flipped(code) : code
  return setOf((one) => one === code || one === other)
}

function flipped(code: number): number {
  const text = String.fromCharCode(code)
  const lower = text.toLowerCase()
  return (lower === text ? text.toUpperCase() : lower).charCodeAt(0)
}

export function negated(set: CharacterSet): CharacterSet {
  return set.map((belongs) => 1 - belongs)
}

export function merged(sets: readonly CharacterSet[]): CharacterSet {
  return setOf((code) => sets.some((set) => set[code] === 1))
}

export function folded(set: CharacterSet): CharacterSet {
  return setOf((code) => set[code] === 1 || set[flipped(code)] === 1)
}

export function isWord(code: number): boolean {
  return /\w/.test(String.fromCharCode(code))
}

function matching(pattern: RegExp): CharacterSet {
  return setOf((code) => pattern.test(String.fromCharCode(code)))
}

/** By the letter behind the backslash; capitals are the negations. */
export const perlClasses: ReadonlyMap<string, CharacterSet> = new Map([
  ['d', matching(/[0-9]/)], ['D', matching(/[^0-9]/)],
  ['w', matching(/\w/)], ['W', matching(/\W/)],
  ['s', matching(/[\t\n\f\r ]/)], ['S', matching(/[^\t\n\f\r ]/)],
])

export const posixClasses: ReadonlyMap<string, CharacterSet> = new Map([
  ['alnum', matching(/[0-9A-Za-z]/)], ['alpha', matching(/[A-Za-z]/)], ['ascii', matching(/[^]/)], ['blank', matching(/[\t ]/)],
  // biome-ignore lint: control characters are what this class is of
  ['cntrl', matching(/[\x00-\x1f\x7f]/)], ['digit', matching(/[0-9]/)], ['graph', matching(/[!-~]/)], ['lower', matching(/[a-z]/)],
  ['print', matching(/[ -~]/)], ['punct', matching(/[!-/:-@[-`{-~]/)], ['space', matching(/[\t\n\v\f\r ]/)], ['upper', matching(/[A-Z]/)],
  ['word', matching(/\w/)], ['xdigit', matching(/[0-9A-Fa-f]/)],
])

/** `\p{Lu}`, `\p{Greek}`: a general category or a script. The pattern that is made has one character and no repetition. */
export function unicodeClass(name: string): CharacterSet {
  if (name === 'Any') return setOf(() => true)
  if (!/^[A-Za-z_]+$/.test(name)) throw new InvalidRegex(`there is no character class \\p{${name}}`)
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      return matching(new RegExp(`\\p{${property}}`, 'u'))
    } catch {
      // Not a name of this kind; perhaps of the other.
    }
  }
  throw new InvalidRegex(`there is no character class \\p{${name}}`)
}
