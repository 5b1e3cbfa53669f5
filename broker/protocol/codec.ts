// Compiles a declaration to one straight-line function per version and direction. Every line of the generated code
// sees one shape of object, which is what makes it several times faster than an interpreter or closures
// (docs/adr/0002). The source is made of declared names only, never of anything from the network.

import { compileRead } from './compile-read.ts'
import { compileWrite } from './compile-write.ts'
import { MalformedMessage, Reader } from './reader.ts'
import { type GivenOf, includes, type Message, type ReadOf, type Shape } from './schema.ts'
import { Writer } from './writer.ts'

export interface Codec<S extends Shape> {
  /** Throws `MalformedMessage` where the bytes do not hold the message. Bytes behind it are left alone. */
  read(reader: Reader): ReadOf<S>
  write(writer: Writer, value: GivenOf<S>): void
}

const compiled = new WeakMap<Message<any>, Map<number, Codec<any>>>()

/** The codec of a version, compiled on first use. Throws where the declaration does not have the version. */
export function codec<S extends Shape>(message: Message<S>, version: number): Codec<S> {
  let versions = compiled.get(message)
  if (versions === undefined) compiled.set(message, (versions = new Map()))
  const known = versions.get(version)
  if (known !== undefined) return known
  if (!includes(message.versions, version)) throw new RangeError(`${message.name} has no version ${version}`)
  const made: Codec<S> = { read: compileRead(message, version), write: compileWrite(message, version) }
  versions.set(version, made)
  return made
}

/** The value in `bytes`, which must hold it and nothing more. */
export function decode<S extends Shape>(message: Message<S>, version: number, bytes: Buffer): ReadOf<S> {
  const reader = new Reader(bytes)
  const value = codec(message, version).read(reader)
  if (reader.left > 0) throw new MalformedMessage(`${reader.left} bytes are left behind ${message.name}`)
  return value
}

export function encode<S extends Shape>(message: Message<S>, version: number, value: GivenOf<S>): Buffer {
  const writer = new Writer()
  codec(message, version).write(writer, value)
  return Buffer.concat(writer.finish())
}
