import { InvalidRegex } from './syntax.ts'

/** The text of a pattern, read from left to right. */
export class Source {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#text.length
  }

  sees(text: string): boolean {
    return this.#text.startsWith(text, this.#position)
  }

  skip(text: string): boolean {
    if (!this.sees(text)) return false
    this.#position += text.length
    return true
  }

  /** The next character, whatever it is. */
  next(): string {
    return String.fromCodePoint(this.nextCode())
  }

  nextCode(): number {
    const code = this.#text.codePointAt(this.#position)
    if (code === undefined) throw new InvalidRegex('the pattern ends too early')
    this.#position += code > 0xffff ? 2 : 1
    return code
  }

  /** Skips what matches here; the pattern given must be sticky. */
  skipMatch(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#position
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#position = pattern.lastIndex
    return match
  }

  /** Everything up to `end` or the end, which are skipped. */
  until(end: string): number[] {
    const at = this.#text.indexOf(end, this.#position)
    const text = this.#text.slice(this.#position, at < 0 ? undefined : at)
    this.#position = at < 0 ? this.#text.length : at + end.length
    return [...text].map((character) => character.codePointAt(0)!)
  }

  /** The next few characters, for messages. */
  rest(length: number): string {
    return this.#text.slice(this.#position, this.#position + length)
  }
}
