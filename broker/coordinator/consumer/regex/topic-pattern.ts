import type { Topics } from '../../topics.ts'
import { Program, StepBudget } from './program.ts'
import { InvalidRegex } from './syntax.ts'

/** Characters of a pattern; a list of some forty topics by name. */
export const patternCharactersMax = 10_000
/** Steps that resolving a pattern against all topics may take: about 200 ms. Topics beyond that do not match. */
export const stepsMax = 10_000_000
/** Patterns whose results are kept; the one that was not asked for longest goes first. */
export const patternsMax = 1_000

interface Known {
  readonly program: Program
  /** Of the topics that the names were looked up in. */
  version: number
  topics: Topics
  names: ReadonlySet<string>
}

/**
 * Patterns that were compiled, with what they matched last. Only a memory of results: what is answered depends on the
 * pattern and the topics alone.
 */
const known = new Map<string, Known>()

/** Why a pattern is refused; undefined: it is fine. */
export function problemWithPattern(pattern: string): string | undefined {
  try {
    programOf(pattern)
    return undefined
  } catch (error) {
    if (error instanceof InvalidRegex) return error.message
    throw error
  }
}

/** The topics whose whole names match. A pattern that does not compile matches none. */
export function topicsMatching(pattern: string, topics: Topics): ReadonlySet<string> {
  if (problemWithPattern(pattern) !== undefined) return new Set()
  const entry = programOf(pattern)
  if (entry.version === topics.version && entry.topics === topics) return entry.names
  const budget = new StepBudget(stepsMax)
  const names = new Set<string>()
  for (const name of topics.names()) {
    if (budget.isSpent) break
    if (entry.program.matches(name, budget)) names.add(name)
  }
  entry.version = topics.version
  entry.topics = topics
  entry.names = names
  return names
}

function programOf(pattern: string): Known {
  let entry = known.get(pattern)
  if (entry === undefined) {
    if (pattern.length > patternCharactersMax) throw new InvalidRegex(`the pattern is longer than ${patternCharactersMax} characters`)
    entry = { program: new Program(pattern), version: -1, topics: noTopics, names: new Set() }
    if (known.size >= patternsMax) known.delete(known.keys().next().value!)
  }
  known.delete(pattern)
  known.set(pattern, entry)
  return entry
}

const noTopics: Topics = { version: -1, byName: () => undefined, byId: () => undefined, names: () => [], onChange: () => {} }
