import { ClassParser } from './class-parser.ts'
import { readEscape } from './escapes.ts'
import { Source } from './source.ts'
import { InvalidRegex, type Node, setOf, single } from './syntax.ts'

interface Flags {
  readonly foldCase: boolean
  readonly dotMatchesNewline: boolean
}

/** Repetitions beyond this are refused, as RE2 does. */
const repeatMax = 1_000
/** Groups within groups; the parser calls itself for each. */
const depthMax = 100

const empty: Node = { kind: 'sequence', nodes: [] }

/** Throws `InvalidRegex`. Everything that RE2 has is read; back references and look-around it does not have. */
export function parseRegex(text: string): Node {
  const parser = new Parser(new Source(text))
  return parser.whole()
}

class Parser {
  readonly #source: Source
  #flags: Flags = { foldCase: false, dotMatchesNewline: false }
  #depth = 0

  constructor(source: Source) {
    this.#source = source
  }

  whole(): Node {
    const node = this.#choice()
    if (!this.#source.isAtEnd) throw new InvalidRegex('unexpected )')
    return node
  }

  #choice(): Node {
    const nodes = [this.#sequence()]
    while (this.#source.skip('|')) nodes.push(this.#sequence())
    return nodes.length === 1 ? nodes[0]! : { kind: 'choice', nodes }
  }

  #sequence(): Node {
    const nodes: Node[] = []
    while (!this.#source.isAtEnd && !this.#source.sees('|') && !this.#source.sees(')')) {
      const quoted = this.#source.skip('\\Q') ? this.#source.until('\\E').map((code) => this.#literal(code)) : [this.#atom()]
      const last = quoted.pop()
      nodes.push(...quoted)
      if (last !== undefined) nodes.push(this.#repeated(last))
    }
    return nodes.length === 1 ? nodes[0]! : { kind: 'sequence', nodes }
  }

  #literal(code: number): Node {
    return { kind: 'set', set: single(code, this.#flags) }
  }

  #atom(): Node {
    const source = this.#source
    if (source.skip('(')) return this.#group()
    if (source.skip('[')) return { kind: 'set', set: new ClassParser(source, this.#flags).parse() }
    if (source.skip('.')) {
      const { dotMatchesNewline } = this.#flags
      return { kind: 'set', set: setOf((code) => dotMatchesNewline || code !== 10) }
    }
    if (source.skip('^')) return { kind: 'assert', what: 'start' }
    if (source.skip('$')) return { kind: 'assert', what: 'end' }
    if (source.skip('\\')) return readEscape(source, this.#flags)
    if (source.sees('*') || source.sees('+') || source.sees('?')) throw new InvalidRegex(`nothing to repeat before ${source.next()}`)
    return this.#literal(source.nextCode())
  }

  #group(): Node {
    if (++this.#depth > depthMax) throw new InvalidRegex(`groups are nested more than ${depthMax} deep`)
    const before = this.#flags
    const flagsAlone = this.#source.skip('?') && this.#groupHead()
    const node = flagsAlone ? empty : this.#choice()
    if (!flagsAlone) {
      if (!this.#source.skip(')')) throw new InvalidRegex('missing )')
      this.#flags = before
    }
    this.#depth -= 1
    return node
  }

  /** What follows `(?`. True where it was flags alone, `(?i)`, which hold until the surrounding group ends. */
  #groupHead(): boolean {
    const name = this.#source.skipMatch(/P?<([A-Za-z_][A-Za-z0-9_]*)>/y)
    if (name !== undefined) return false
    const flags = this.#source.skipMatch(/([imsU]*)(?:-([imsU]+))?([:)])/y)
    if (flags === undefined) throw new InvalidRegex(`(?${this.#source.rest(3)} is not supported`)
    const [, on = '', off = '', end] = flags
    const has = (flag: string, value: boolean) => (on.includes(flag) ? true : off.includes(flag) ? false : value)
    this.#flags = { foldCase: has('i', this.#flags.foldCase), dotMatchesNewline: has('s', this.#flags.dotMatchesNewline) }
    return end === ')'
  }

  /** Greedy or not makes no difference to whether the whole matches. */
  #repeated(node: Node): Node {
    const bounds = this.#bounds()
    if (bounds === undefined) return node
    this.#source.skip('?')
    if (this.#bounds() !== undefined) throw new InvalidRegex('a repetition of a repetition')
    return { kind: 'repeat', node, ...bounds }
  }

  #bounds(): { min: number; max: number } | undefined {
    const source = this.#source
    if (source.skip('*')) return { min: 0, max: Infinity }
    if (source.skip('+')) return { min: 1, max: Infinity }
    if (source.skip('?')) return { min: 0, max: 1 }
    // Braces that are no repetition stand for themselves.
    const braces = source.skipMatch(/\{(\d+)(,?)(\d*)\}/y)
    if (braces === undefined) return undefined
    const min = Number(braces[1])
    const max = braces[3] !== '' ? Number(braces[3]) : braces[2] === ',' ? Infinity : min
    if (min > repeatMax || (max !== Infinity && max > repeatMax) || min > max) {
      throw new InvalidRegex(`the repetition ${braces[0]} is out of bounds`)
    }
    return { min, max }
  }
}
