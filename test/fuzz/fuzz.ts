import { SeededRandom } from '../support/seeded-random.ts'
import { mutate } from './mutate.ts'
import { type Sample, type Target, targets as everyTarget } from './targets.ts'

export interface FuzzOptions {
  /** Over all targets. */
  readonly decodes: number
  readonly seed: number
  /** By name; all where none is given. */
  readonly only?: string | undefined
  /** Those of targets.ts where none are given. */
  readonly targets?: readonly Target[]
}

export interface TargetReport {
  readonly name: string
  readonly decodes: number
  /** How many of them were still understood: 0 would mean that only the front door was tried. */
  readonly understood: number
  /** Of the slowest decode. */
  readonly msMax: number
}

/** An input that brought something else out of a decoder than a value or the error it is allowed. */
export class Crasher extends Error {
  constructor(where: string, input: Buffer, cause: unknown) {
    super(`${where}: ${String(cause)}\n${input.toString('hex')}`, { cause })
    this.name = 'Crasher'
  }
}

/** Throws `Crasher` at the first input that does. The same options make the same inputs. */
export function fuzz({ decodes, seed, only, targets = everyTarget }: FuzzOptions): TargetReport[] {
  const chosen = targets.filter(({ name }) => only === undefined || name === only)
  if (chosen.length === 0) throw new TypeError(`the targets are ${targets.map(({ name }) => name).join(', ')}`)
  // Most inputs are refused, and what that costs is the trace.
  Error.stackTraceLimit = 3
  const shares = chosen.reduce((sum, { share }) => sum + share, 0)
  return chosen.map((target) => fuzzTarget(target, Math.ceil(decodes * target.share / shares), new SeededRandom(seed)))
}

function fuzzTarget(target: Target, decodes: number, random: SeededRandom): TargetReport {
  const samples = target.samples(random)
  for (const sample of samples) attempt(target, sample, { input: Buffer.from(sample.bytes), random })
  let understood = 0
  let msMax = 0
  for (let index = 0; index < decodes; index++) {
    const sample = samples[index % samples.length]!
    const input = mutate(sample.bytes, random)
    const start = performance.now()
    if (attempt(target, sample, { input, random })) understood++
    msMax = Math.max(msMax, performance.now() - start)
  }
  return { name: target.name, decodes, understood, msMax }
}

function attempt(target: Target, sample: Sample, { input, random }: { readonly input: Buffer; readonly random: SeededRandom }): boolean {
  try {
    return sample.run(input, random)
  } catch (cause) {
    if (target.isExpected(cause)) return false
    throw new Crasher(`${target.name}, ${sample.name}`, input, cause)
  }
}
