import type { Source } from './source.ts'
import { InvalidRegex, negated, type Node, perlClasses, single, unicodeClass, type CharacterSet } from './syntax.ts'

const controls: ReadonlyMap<string, number> = new Map([['a', 7], ['f', 12], ['t', 9], ['n', 10], ['r', 13], ['v', 11]])

const assertions: ReadonlyMap<string, Node> = new Map<string, Node>([
  ['A', { kind: 'assert', what: 'start' }],
  ['z', { kind: 'assert', what: 'end' }],
  ['b', { kind: 'assert', what: 'wordBoundary' }],
  ['B', { kind: 'assert', what: 'noWordBoundary' }],
])

/** What follows a backslash outside of brackets. */
export function readEscape(source: Source, flags: { readonly foldCase: boolean }): Node {
  for (const [letter, node] of assertions) if (source.skip(letter)) return node
  const set = readClassEscape(source)
  return { kind: 'set', set: set ?? single(readCharacterEscape(source), flags) }
}

/** `\d`, `\pL`, `\P{Greek}`; undefined: it is something else. */
export function readClassEscape(source: Source): CharacterSet | undefined {
  for (const [letter, set] of perlClasses) if (source.skip(letter)) return set
  const unicode = source.skipMatch(/([pP])(?:\{(\^?)([^}]*)\}|([A-Za-z]))/y)
  if (unicode === undefined) return undefined
  const [, letter, caret, name, short] = unicode
  const set = unicodeClass(name ?? short!)
  return (letter === 'P') !== (caret === '^') ? negated(set) : set
}

export function readCharacterEscape(source: Source): number {
  const hex = source.skipMatch(/x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/y)
  if (hex !== undefined) return Number.parseInt(hex[1] ?? hex[2]!, 16)
  const octal = source.skipMatch(/0[0-7]{0,2}|[1-7][0-7]{1,2}/y)
  if (octal !== undefined) return Number.parseInt(octal[0], 8)
  const character = source.next()
  const control = controls.get(character)
  if (control !== undefined) return control
  if (/^[0-9A-Za-z]$/.test(character)) throw new InvalidRegex(`the escape \\${character} is not supported`)
  return character.codePointAt(0)!
}
