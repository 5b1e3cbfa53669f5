// The message schemas inside the kafka-clients jar, read where they lie: nothing of Kafka is copied into this tree
// (docs/adr/0003).

import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { kafkaClientsJar } from '../../scripts/peer/cache.ts'

export const jarPath = process.env['KAFKA_CLIENTS_JAR'] ?? kafkaClientsJar

export interface KafkaField {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly flexibleVersions?: string
  readonly tag?: number
  readonly default?: unknown
  readonly fields?: readonly KafkaField[]
}

export interface KafkaSchema {
  readonly name: string
  readonly type: 'request' | 'response' | 'data' | 'header' | 'metadata' | string
  readonly apiKey?: number
  readonly listeners?: readonly string[]
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly latestVersionUnstable?: boolean
  readonly fields: readonly KafkaField[]
  readonly commonStructs?: readonly KafkaField[]
}

/** By name. */
export function kafkaSchemas(jar: Buffer = readFileSync(jarPath)): ReadonlyMap<string, KafkaSchema> {
  const schemas = new Map<string, KafkaSchema>()
  for (const [name, open] of entriesOf(jar)) {
    if (!/^common\/message\/\w+\.json$/.test(name)) continue
    const schema = JSON.parse(withoutComments(open().toString())) as KafkaSchema
    schemas.set(schema.name, schema)
  }
  return schemas
}

/** Only comments of whole lines are met, and slashes inside of strings must stay. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\/.*$/gm, '')
}

/** The files of a zip archive (PKWARE's APPNOTE), by its central directory. */
export function* entriesOf(zip: Buffer): Generator<readonly [name: string, open: () => Buffer]> {
  const end = zip.lastIndexOf(Buffer.from('504b0506', 'hex'))
  if (end < 0) throw new Error('not a zip archive')
  const count = zip.readUInt16LE(end + 10)
  let at = zip.readUInt32LE(end + 16)
  for (let index = 0; index < count; index++) {
    const method = zip.readUInt16LE(at + 10)
    const length = zip.readUInt32LE(at + 20)
    const [nameBytes, extraBytes, commentBytes] = [
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ]
    const local = zip.readUInt32LE(at + 42)
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes)
    at += 46 + nameBytes + extraBytes + commentBytes
    yield [
      name,
      () => {
        const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
        const bytes = zip.subarray(start, start + length)
        return method === 0 ? bytes : inflateRawSync(bytes)
      },
    ]
  }
}

/** "3", "3+", "3-7" and "none". */
export function parseVersions(text: string): { readonly start: number; readonly end: number } | undefined {
  if (text === 'none') return undefined
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text)
  if (match === null) throw new TypeError(`no range of versions: ${text}`)
  const start = Number(match[1])
  return { start, end: match[2] === undefined ? start : match[3] === undefined ? Infinity : Number(match[3]) }
}
