// What a broker is started with: flags, LONGTAIL_* variables and a file, in this order of precedence, checked before
// anything is opened. An error names the setting, the value and what is allowed.

import { z } from 'zod'
import { brokerSettings } from './cluster/broker-config.ts'
import { problemWith } from './cluster/topic-config.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
  }
}

const address = z.string().transform((text, context): Address => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    context.addIssue({ code: 'custom', message: 'must be HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092' })
    return z.NEVER
  }
  return { host: match[1] ?? match[2]!, port }
})

const kafkaSettings = z.record(z.string(), z.string()).transform((given, context) => {
  for (const [name, value] of Object.entries(given)) {
    const problem = brokerSettings.has(name)
      ? problemWith(name, value, brokerSettings)
      : `'${name}' is no broker setting; they are called as in Kafka, such as num.partitions or log.retention.ms`
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  }
  return new Map(Object.entries(given))
})

const peerAddresses = z.record(z.string(), address).transform((given, context) => {
  for (const id of Object.keys(given)) {
    if (!/^\d{1,9}$/.test(id)) context.addIssue({ code: 'custom', message: `'${id}' is no broker's number; must be ID=HOST:PORT` })
  }
  return new Map(Object.entries(given).map(([id, place]) => [Number(id), place]))
})

const wholeNumber = (min: number, max: number) =>
  z.coerce.number(`must be a whole number from ${min} to ${max}`).int(`must be a whole number from ${min} to ${max}`)
    .min(min, `must be a whole number from ${min} to ${max}`).max(max, `must be a whole number from ${min} to ${max}`)

/** Every setting with its default; the descriptions make `--help`. */
const settings = {
  listen: address.default({ host: '127.0.0.1', port: 9092 }).describe('HOST:PORT for clients'),
  advertise: address.optional().describe('HOST:PORT that clients are told to connect to; the listener where not given'),
  http: z.union([z.literal('off'), address], 'must be HOST:PORT or off').default({ host: '127.0.0.1', port: 9644 })
    .describe('HOST:PORT for /healthz, /readyz and /metrics, or off'),
  data: z.string().min(1, 'must be a path').default('./data').describe(
    'directory for the logs, and for table and objects where those are local'
  ),
  table: z.string().optional().describe('sqlite:PATH or dynamodb:NAME; sqlite:DATA/table.db where not given'),
  objects: z.string().optional().describe('file:PATH or s3://BUCKET/PREFIX; file:DATA/objects where not given'),
  id: wholeNumber(0, 2 ** 31 - 1).default(1).describe('this broker\'s number in the cluster'),
  brokers: wholeNumber(1, 9).default(1)
    .describe('start so many on this machine, each a process; numbers and ports count up from the given ones'),
  rack: z.string().min(1).optional().describe('where this broker stands, such as an availability zone'),
  durability: z.enum(['fsync', 'replicated'], 'must be fsync or replicated').default('fsync')
    .describe('fsync: acknowledged means on stable storage; replicated: in the page cache, as Kafka does'),
  'log-level': z.enum(['trace', 'debug', 'info', 'warn', 'error'], 'must be trace, debug, info, warn or error').default('info')
    .describe('how much to log'),
  'allow-unauthenticated': z.union([z.boolean(), z.stringbool()]).default(false)
    .describe('listen beyond loopback although nobody is asked who they are'),
  peer: peerAddresses.default(new Map())
    .describe('ID=HOST:PORT where this broker reaches another one, if not where that says; can be repeated'),
  set: kafkaSettings.default(new Map()).describe('NAME=VALUE for a broker setting under Kafka\'s name; can be repeated'),
} as const

const schema = z.strictObject(settings)

export type Config = Readonly<z.infer<typeof schema>>

export interface ConfigSources {
  /** Values by flag name, as given on the command line. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The parsed content of the file that `--config` names. */
  readonly file: unknown
}

/** The names, kinds and texts of all flags, for the command line. */
export function describeSettings(): {
  readonly name: string; readonly about: string; readonly isFlag: boolean; readonly isRepeated: boolean
}[] {
  return Object.entries(settings).map(([name, setting]) => ({
    name,
    about: setting.description ?? '',
    isFlag: name === 'allow-unauthenticated',
    isRepeated: isRepeated(name),
  }))
}

function isRepeated(name: string): boolean {
  return name === 'set' || name === 'peer'
}

/** Throws `ConfigError` with one line per problem. */
export function readConfig({ flags, environment, file }: ConfigSources): Config {
  const fromFile = file === undefined ? {} : file
  if (typeof fromFile !== 'object' || fromFile === null || Array.isArray(fromFile)) {
    throw new ConfigError(['the configuration file must hold one JSON object'])
  }
  const given: Record<string, unknown> = { ...fromFile }
  const origins = new Map<string, string>(Object.keys(given).map((name) => [name, `"${name}" in the configuration file`]))
  for (const name of Object.keys(settings)) {
    const variable = `LONGTAIL_${name.replaceAll('-', '_').toUpperCase()}`
    const value = environment[variable]
    if (value === undefined) continue
    given[name] = isRepeated(name) ? { ...asObject(given[name]), ...pairs(name, value.split(',')) } : value
    origins.set(name, variable)
  }
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue
    given[name] = isRepeated(name) ? { ...asObject(given[name]), ...pairs(name, value as string[]) } : value
    origins.set(name, `--${name}`)
  }
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => sentence(issue, given, origins)))
  refuseOpenDoor(parsed.data)
  return parsed.data
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function pairs(name: string, texts: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {}
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new ConfigError([`--${name} '${text}': must be ${name === 'set' ? 'NAME=VALUE' : 'ID=HOST:PORT'}`])
    result[text.slice(0, at)] = text.slice(at + 1)
  }
  return result
}

function sentence(issue: z.core.$ZodIssue, given: Record<string, unknown>, origins: ReadonlyMap<string, string>): string {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(settings).join(', ')
    return issue.keys.map((key) => `${origins.get(key) ?? key}: there is no such setting; there are ${known}`).join('\n')
  }
  const name = String(issue.path[0])
  const value = given[name]
  if (isRepeated(name)) return `${origins.get(name)}: ${issue.message}`
  return `${origins.get(name) ?? name} '${typeof value === 'string' ? value : JSON.stringify(value)}': ${issue.message}`
}

/** Nobody is asked who they are yet, so only this machine may ask unless the operator says otherwise. */
function refuseOpenDoor(config: Config): void {
  if (config['allow-unauthenticated'] || isLoopback(config.listen.host)) return
  throw new ConfigError([
    `--listen '${config.listen.host}:${config.listen.port}': is reachable from other machines, and clients are not authenticated; ` +
    'listen on 127.0.0.1, or say --allow-unauthenticated',
  ])
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
