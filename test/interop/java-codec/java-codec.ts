import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { jarPath } from '../kafka-schemas.ts'

export const kinds = { request: 0, response: 1, subscription: 2, assignment: 3, headers: 4, errors: 5 } as const

export interface Question {
  readonly kind: keyof typeof kinds
  readonly key: number
  readonly version: number
  readonly bytes: Buffer
}

export type Answer =
  /** `bytes` is what Kafka's classes made of what they had decoded. */
  | { readonly kind: 'done'; readonly bytes: Buffer; readonly json: unknown }
  | { readonly kind: 'refused'; readonly why: string }

const program = join(import.meta.dirname, 'Codec.java')

/** Asks all of Codec.java, in one JVM. The jars that it needs lie beside kafka-clients. */
export async function askJava(questions: readonly Question[]): Promise<Answer[]> {
  const child = spawn('java', ['-Xmx512M', '-XX:+UseSerialGC', '-cp', join(dirname(jarPath), '*'), program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const received = read(child)
  for (const { kind, key, version, bytes } of questions) {
    const head = Buffer.alloc(9)
    head.writeInt32BE(5 + bytes.length)
    head.writeInt8(kinds[kind], 4)
    head.writeInt16BE(key, 5)
    head.writeInt16BE(version, 7)
    if (!child.stdin!.write(Buffer.concat([head, bytes]))) await once(child.stdin!, 'drain')
  }
  child.stdin!.end()
  return answersIn(await received)
}

async function read(child: ChildProcess): Promise<Buffer> {
  const chunks: Buffer[] = []
  child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = await once(child, 'close') as [number | null]
  if (code !== 0) throw new Error(`java ended with ${code}`)
  return Buffer.concat(chunks)
}

function answersIn(bytes: Buffer): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readInt32BE(at)
    answers.push(answerOf(bytes.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return answers
}

function answerOf(bytes: Buffer): Answer {
  if (bytes[0] !== 0) return { kind: 'refused', why: bytes.toString('utf8', 1) }
  const end = 5 + bytes.readInt32BE(1)
  // Numbers beyond 2^53 are rounded here; the widest int64 reads as 2^63.
  return { kind: 'done', bytes: bytes.subarray(5, end), json: JSON.parse(bytes.toString('utf8', end)) }
}
