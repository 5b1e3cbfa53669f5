// A pattern as a machine without memory of how it got where it is: all places that it can be in are kept at once, so
// matching takes at most (length of the name) times (length of the program) steps. JavaScript's own expressions
// backtrack and can take exponentially many, which one client could stop a broker with.

import { parseRegex } from './parser.ts'
import { alphabetLength, type CharacterSet, InvalidRegex, isWord, type Node } from './syntax.ts'

type Instruction =
  | { readonly kind: 'set'; readonly set: CharacterSet; readonly next: number }
  | { readonly kind: 'fork'; readonly next: readonly number[] }
  | { readonly kind: 'assert'; readonly what: Extract<Node, { kind: 'assert' }>['what']; readonly next: number }
  | { readonly kind: 'match' }

/** Instructions of one pattern; repetitions with bounds are written out. */
export const instructionsMax = 2_000

export class Program {
  readonly #instructions: Instruction[] = [{ kind: 'match' }]
  readonly #start: number

  /** Throws `InvalidRegex`. */
  constructor(text: string) {
    this.#start = this.#compile(parseRegex(text), 0)
  }

  #add(instruction: Instruction): number {
    if (this.#instructions.length >= instructionsMax) throw new InvalidRegex('the pattern is too large')
    return this.#instructions.push(instruction) - 1
  }

  /** Compiled from the back: `next` is where to go on. Returns where to begin. */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case 'set': return this.#add({ kind: 'set', set: node.set, next })
      case 'assert': return this.#add({ kind: 'assert', what: node.what, next })
      case 'sequence': return node.nodes.reduceRight((behind, one) => this.#compile(one, behind), next)
      case 'choice': return this.#add({ kind: 'fork', next: node.nodes.map((one) => this.#compile(one, next)) })
      case 'repeat': return this.#compileRepeat(node, next)
    }
  }

  #compileRepeat({ node, min, max }: Extract<Node, { kind: 'repeat' }>, next: number): number {
    let start = next
    if (max === Infinity) {
      const ways: number[] = []
      start = this.#add({ kind: 'fork', next: ways })
      ways.push(this.#compile(node, start), next)
    } else {
      for (let count = min; count < max; count++) start = this.#add({ kind: 'fork', next: [this.#compile(node, start), next] })
    }
    for (let count = 0; count < min; count++) start = this.#compile(node, start)
    return start
  }

  /** Does the whole text match? Costs `steps` of the budget. */
  matches(text: string, budget: StepBudget): boolean {
    const seen = new Int32Array(this.#instructions.length).fill(-1)
    let places = this.#reach([this.#start], { text, position: 0, seen, budget })
    for (let position = 0; position < text.length && places.length > 0; position++) {
      const code = text.charCodeAt(position)
      const next: number[] = []
      for (const place of places) {
        const instruction = this.#instructions[place]!
        if (instruction.kind === 'set' && code < alphabetLength && instruction.set[code] === 1) next.push(instruction.next)
      }
      places = this.#reach(next, { text, position: position + 1, seen, budget })
    }
    return places.includes(0)
  }

  /** All places that are reached from these without reading a character. */
  #reach(from: readonly number[], { text, position, seen, budget }: Reach): number[] {
    const found: number[] = []
    const open = [...from]
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (seen[place] === position) continue
      seen[place] = position
      budget.spend()
      const instruction = this.#instructions[place]!
      if (instruction.kind === 'fork') open.push(...instruction.next)
      else if (instruction.kind === 'assert') {
        if (holds(instruction.what, text, position)) open.push(instruction.next)
      } else found.push(place)
    }
    return found
  }
}

interface Reach {
  readonly text: string
  readonly position: number
  /** The position at which each place was reached last. */
  readonly seen: Int32Array
  readonly budget: StepBudget
}

function holds(what: Extract<Node, { kind: 'assert' }>['what'], text: string, position: number): boolean {
  if (what === 'start') return position === 0
  if (what === 'end') return position === text.length
  const before = position > 0 && isWord(text.charCodeAt(position - 1))
  const after = position < text.length && isWord(text.charCodeAt(position))
  return (before !== after) === (what === 'wordBoundary')
}

/** How much work may be done before somebody else gets a turn. */
export class StepBudget {
  #left: number

  constructor(steps: number) {
    this.#left = steps
  }

  get isSpent(): boolean {
    return this.#left <= 0
  }

  spend(): void {
    this.#left -= 1
  }
}
