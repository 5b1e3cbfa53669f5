import { type AnyField, includes, type PrimitiveName } from './schema.ts'

/** Source code in the making, with names that never clash. */
export class Source {
  readonly lines: string[] = []
  /** Objects that the code refers to as `k[index]`. */
  readonly constants: unknown[] = []
  readonly version: number
  readonly flexible: boolean
  #names = 0

  constructor(version: number, flexible: boolean) {
    this.version = version
    this.flexible = flexible
  }

  name(): string {
    return `v${this.#names++}`
  }

  constant(value: unknown): string {
    return `k[${this.constants.push(value) - 1}]`
  }

  add(line: string): void {
    this.lines.push(line)
  }

  has(field: AnyField): boolean {
    return includes(field.facts.versions, this.version)
  }

  isTagged(field: AnyField): boolean {
    return this.has(field) && includes(field.facts.tagVersions, this.version)
  }

  isNullable(field: AnyField): boolean {
    return includes(field.facts.nullable, this.version)
  }
}

const zeros: { readonly [name in PrimitiveName]: string } = {
  bool: 'false', int8: '0', int16: '0', uint16: '0', int32: '0', int64: '0', float64: '0', string: "''",
  bytes: 'EMPTY', records: 'null', uuid: "'AAAAAAAAAAAAAAAAAAAAAA'",
}

/** An expression for the field's default. */
export function fallbackOf(field: AnyField): string {
  const { fallback } = field.facts
  if (fallback === Infinity) return 'Infinity'
  if (fallback !== undefined) return JSON.stringify(fallback)
  if (field.type.kind === 'array') return '[]'
  if (field.type.kind === 'primitive') return zeros[field.type.name]
  const members = Object.entries(field.type.shape).map(([name, member]) => `${name}: ${fallbackOf(member)}`)
  return `{ ${members.join(', ')} }`
}
