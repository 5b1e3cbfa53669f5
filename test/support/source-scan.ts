// What the architecture test knows of a source file. Not a parser: it leans on how this tree is written (one statement
// per line, a function's closing brace in the column of its first line), and test/architecture.test.ts shows on bad
// samples that it sees what it is there to see.

export interface Import {
  readonly from: string
  readonly line: number
  /** Types vanish before anything runs. */
  readonly isTypeOnly: boolean
}

export interface FunctionSpan {
  readonly name: string
  readonly line: number
  readonly lines: number
}

/** The source with comments and what is inside of strings and regular expressions replaced by blanks, line by line as long. */
export function codeOf(source: string): string {
  let code = ''
  let at = 0
  /** For each template literal that is open: how many braces are open in its expression. */
  const templates: number[] = []
  const blank = (end: number): void => {
    code += source.slice(at, end).replace(/[^\n]/g, ' ')
    at = end
  }
  while (at < source.length) {
    const two = source.slice(at, at + 2)
    const one = source[at]!
    if (two === '//') blank(endOf(source, '\n', at))
    else if (two === '/*') blank(endOf(source, '*/', at + 2) + 2)
    else if (one === '\'' || one === '"') blank(closing(source, at, one))
    else if (one === '`' || (one === '}' && templates.at(-1) === 0)) {
      if (one === '}') templates.pop()
      const end = templateEnd(source, at + 1)
      if (source[end] === '$') templates.push(0)
      blank(source[end] === '$' ? end + 2 : end + 1)
    } else if (one === '/' && /(^|[(,=:[!&|?{};]|=>|return)\s*$/.test(code.slice(-40))) blank(regexEnd(source, at))
    else {
      if (one === '{' && templates.length > 0) templates[templates.length - 1]!++
      if (one === '}' && templates.length > 0) templates[templates.length - 1]!--
      code += one
      at++
    }
  }
  return code
}

function endOf(source: string, what: string, from: number): number {
  const end = source.indexOf(what, from)
  return end < 0 ? source.length : end
}

function closing(source: string, start: number, quote: string): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++
    else if (source[at] === quote || source[at] === '\n') return at + 1
  }
  return source.length
}

/** Where a template literal ends, or an expression begins in it. */
function templateEnd(source: string, start: number): number {
  for (let at = start; at < source.length; at++) {
    if (source[at] === '\\') at++
    else if (source[at] === '`' || (source[at] === '$' && source[at + 1] === '{')) return at
  }
  return source.length
}

function regexEnd(source: string, start: number): number {
  let isInClass = false
  for (let at = start + 1; at < source.length; at++) {
    const one = source[at]
    if (one === '\n') return start + 1
    if (one === '\\') at++
    else if (one === '[') isInClass = true
    else if (one === ']') isInClass = false
    else if (one === '/' && !isInClass) return at + 1
  }
  return source.length
}

export function importsOf(source: string): Import[] {
  const code = codeOf(source)
  const imports: Import[] = []
  const statement = /(?:^|\n)(?:import|export)(\s+type)?\b([^'"`;()]*?)\bfrom\s+'([^'\n]+)'|(?:^|\n)import\s+'([^'\n]+)'|\bimport\('([^'\n]+)'\)/g
  for (const match of source.matchAll(statement)) {
    const start = match.index + match[0].search(/import|export/)
    if (code.slice(start, start + 6).trim() === '') continue
    const names = (match[2] ?? '').replace(/[{}]/g, '').split(',').map((name) => name.trim()).filter((name) => name !== '')
    const isTypeOnly = match[1] !== undefined || (names.length > 0 && names.every((name) => name.startsWith('type ')))
    imports.push({ from: match[3] ?? match[4] ?? match[5]!, line: lineAt(source, start), isTypeOnly })
  }
  return imports
}

export function lineAt(source: string, position: number): number {
  return source.slice(0, position).split('\n').length
}

const notNames = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'function', 'super', 'await', 'else', 'do'])
const named = /^\s*(?:export )?(?:async )?function\*? (\w+).*[({]$/
const method = /^\s*(?:static |async |get |set |override |\*)*([#\w]+)(?:<.*>)?\(.*[({]$/
const arrow = /^\s*(?:(?:export )?const |readonly )?#?(\w*).*=> \{$/

/** Functions, methods and blocks of arrows that are longer than a line. */
export function functionsOf(source: string): FunctionSpan[] {
  const lines = codeOf(source).split('\n').map((line) => line.trimEnd())
  const spans: FunctionSpan[] = []
  lines.forEach((line, index) => {
    const name = (named.exec(line) ?? method.exec(line) ?? arrow.exec(line))?.[1]
    if (name === undefined || notNames.has(name)) return
    const indent = /^\s*/.exec(line)![0]
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indent}}`) && !/[({]$/.test(other))
    if (end >= 0) spans.push({ name, line: index + 1, lines: end - index + 1 })
  })
  return spans
}

/** Lines, from 1, on which code (not a comment, not a string) matches. */
export function linesMatching(source: string, pattern: RegExp): number[] {
  return codeOf(source).split('\n').flatMap((line, index) => (pattern.test(line) ? [index + 1] : []))
}
