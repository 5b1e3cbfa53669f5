// The language in which messages are declared. A field's name, type, versions and default stand on one line, and
// nothing else in the tree repeats them: types are inferred from it, codecs compiled from it (codec.ts), ApiVersions
// and docs/protocol.md derived from it, and a test holds it against the schemas that Kafka ships.
//
//   partitions: array({
//     partition: int32,
//     currentLeaderEpoch: int32.or(-1).from(9),
//   })
//
// Fields are immutable; `.from .to .or .nullable .tagged` return new ones. Wire order is property order.

export type PrimitiveName =
  | 'bool' | 'int8' | 'int16' | 'uint16' | 'int32' | 'int64' | 'float64' | 'string' | 'bytes' | 'records' | 'uuid'

export type WireType =
  | { readonly kind: 'primitive'; readonly name: PrimitiveName }
  | { readonly kind: 'array'; readonly element: AnyField }
  | { readonly kind: 'struct'; readonly shape: Shape }

/** `end` is inclusive here, as protocol versions are written. */
export interface Versions {
  readonly start: number
  readonly end: number
}

interface Facts {
  readonly versions: Versions
  readonly nullable: Versions | undefined
  readonly tag: number | undefined
  readonly tagVersions: Versions | undefined
  /** Undefined: the type's own zero. */
  readonly fallback: unknown
}

const everyVersion: Versions = { start: 0, end: Infinity }

/** `Read` is what a decoder returns, `Given` what an encoder takes, `Optional` whether it may be left out there. */
export class Field<Read, Given = Read, Optional extends boolean = false> {
  declare readonly read: Read
  declare readonly given: Given
  declare readonly optional: Optional
  readonly type: WireType
  readonly facts: Facts

  constructor(type: WireType, facts?: Partial<Facts>) {
    this.type = type
    this.facts = { versions: everyVersion, nullable: undefined, tag: undefined, tagVersions: undefined, fallback: undefined, ...facts }
  }

  /** Present from this version on. */
  from(version: number): Field<Read, Given, Optional> {
    return this.#with({ versions: { start: version, end: this.facts.versions.end } })
  }

  /** Present up to and including this version. */
  to(version: number): Field<Read, Given, Optional> {
    return this.#with({ versions: { start: this.facts.versions.start, end: version } })
  }

  /** What a reader finds where the field is absent, and a writer sends where none is given. */
  or(fallback: Read): Field<Read, Given, true> {
    return this.#with({ fallback })
  }

  /** May be null in these versions; its default is null only with `.or(null)`. */
  nullable(start = 0, end = Infinity): Field<Read | null, Given | null, Optional> {
    return this.#with({ nullable: { start, end } })
  }

  /** Sent as a tagged field (KIP-482) in these versions, and only where it differs from its default. */
  tagged(tag: number, start: number): Field<Read, Given, true> {
    return this.#with({ tag, tagVersions: { start, end: Infinity } })
  }

  #with(facts: Partial<Facts>): Field<never, never, never> {
    return new Field(this.type, { ...this.facts, ...facts }) as Field<never, never, never>
  }
}

// biome-ignore lint: any is the only way to name a field of whatever type
export type AnyField = Field<any, any, boolean>
export type Shape = { readonly [name: string]: AnyField }

type OptionalNames<S extends Shape> = { [N in keyof S]: S[N] extends Field<any, any, true> ? N : never }[keyof S]

/** What a decoded struct holds: every field, absent ones at their default. */
export type ReadOf<S extends Shape> = { -readonly [N in keyof S]: S[N]['read'] }

/** What an encoder takes: fields with a stated default may be left out. */
export type GivenOf<S extends Shape> =
  { readonly [N in Exclude<keyof S, OptionalNames<S>>]: S[N]['given'] } &
  { readonly [N in OptionalNames<S>]?: S[N]['given'] | undefined }

function primitive<T, Given = T>(name: PrimitiveName): Field<T, Given> {
  return new Field<T, Given>({ kind: 'primitive', name })
}

export const bool = primitive<boolean>('bool')
export const int8 = primitive<number>('int8')
export const int16 = primitive<number>('int16')
export const uint16 = primitive<number>('uint16')
export const int32 = primitive<number>('int32')
/** A number, checked to be within 2^53; 2^63-1 reads as Infinity, which some fields use for "none" (docs/adr/0001). */
export const int64 = primitive<number>('int64')
export const float64 = primitive<number>('float64')
export const string = primitive<string>('string')
/** A view on the frame, not a copy: who keeps it keeps the frame. */
export const bytes = primitive<Buffer>('bytes')
/** Record batches: read as a view on the frame, given as buffers that are sent without being copied. */
export const records = primitive<Buffer, readonly Uint8Array[]>('records')
/** 22 characters of base64url (runtime/random.ts). */
export const uuid = primitive<string>('uuid').or('AAAAAAAAAAAAAAAAAAAAAA')

export function struct<S extends Shape>(shape: S): Field<ReadOf<S>, GivenOf<S>> {
  return new Field({ kind: 'struct', shape })
}

export function array<Read, Given, O extends boolean>(element: Field<Read, Given, O>): Field<Read[], readonly Given[]>
export function array<S extends Shape>(shape: S): Field<ReadOf<S>[], readonly GivenOf<S>[]>
export function array(element: AnyField | Shape): AnyField {
  return new Field({ kind: 'array', element: element instanceof Field ? element : struct(element) })
}

export function includes(versions: Versions | undefined, version: number): boolean {
  return versions !== undefined && version >= versions.start && version <= versions.end
}

/** A struct with a version of its own: one side of an API, or a blob inside of a message. */
export interface Message<S extends Shape = Shape> {
  readonly name: string
  readonly versions: Versions
  /** The first version with compact lengths and tagged fields (KIP-482). */
  readonly flexible: number
  readonly shape: S
}

export interface Api<Q extends Shape = Shape, P extends Shape = Shape> {
  readonly key: number
  readonly name: string
  readonly versions: Versions
  readonly flexible: number
  readonly request: Message<Q>
  readonly response: Message<P>
}

// biome-ignore lint: see AnyField
export type RequestOf<A extends Api<any, any>> = ReadOf<A['request']['shape']>
// biome-ignore lint: see AnyField
export type ResponseOf<A extends Api<any, any>> = GivenOf<A['response']['shape']>

export interface ApiDeclaration<Q extends Shape, P extends Shape> {
  readonly key: number
  readonly name: string
  /** First and last version that we serve, both inclusive. */
  readonly versions: readonly [number, number]
  /** Infinity where no version is flexible. */
  readonly flexible: number
  readonly request: Q
  readonly response: P
}

export function api<Q extends Shape, P extends Shape>(declared: ApiDeclaration<Q, P>): Api<Q, P> {
  const { key, name, flexible } = declared
  const versions = { start: declared.versions[0], end: declared.versions[1] }
  return {
    key,
    name,
    versions,
    flexible,
    request: { name: `${name}Request`, versions, flexible, shape: declared.request },
    response: { name: `${name}Response`, versions, flexible, shape: declared.response },
  }
}

export function message<S extends Shape>(declared: {
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexible: number
  readonly fields: S
}): Message<S> {
  const { name, flexible, fields } = declared
  return { name, versions: { start: declared.versions[0], end: declared.versions[1] }, flexible, shape: fields }
}
