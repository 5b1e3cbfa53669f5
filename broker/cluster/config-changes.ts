// What AlterConfigs and IncrementalAlterConfigs append to the metadata log: pure decisions on an image.

import { ErrorCode } from '../protocol/error-code.ts'
import { brokerSettings } from './broker-config.ts'
import { configsOf, type Image } from './image.ts'
import type { ConfigChanged, ConfigResource } from './metadata-record.ts'
import { refusal, type Refusal } from './topic-changes.ts'
import { groupSettings } from './group-config.ts'
import { conflictIn, listOf, problemWith, type Setting, TopicConfig, topicSettings } from './topic-config.ts'

export type ConfigOperation = 'set' | 'delete' | 'append' | 'subtract'

export interface ConfigEdit {
  readonly name: string
  readonly operation: ConfigOperation
  readonly value: string | null
}

const settingsOf: { readonly [kind in ConfigResource['kind']]: ReadonlyMap<string, Setting> } = {
  topic: topicSettings, broker: brokerSettings, group: groupSettings,
}

/** One record, or why not. A change that changes nothing is a record without changes. */
export function planEdits(image: Image, resource: ConfigResource, edits: readonly ConfigEdit[]): ConfigChanged | Refusal {
  const refused = refuseResource(image, resource)
  if (refused !== undefined) return refused
  const names = new Set(edits.map(({ name }) => name))
  if (names.size < edits.length) return refusal(ErrorCode.INVALID_REQUEST, 'Error due to duplicate config keys')
  const changes: (readonly [string, string | null])[] = []
  for (const edit of edits) {
    const value = valueAfter(image, resource, edit)
    if (typeof value === 'object' && value !== null) return value
    changes.push([edit.name, value])
  }
  const conflict = resource.kind === 'topic' ? conflictIn(new TopicConfig(configsAfter(image, resource, changes), new Map())) : undefined
  return conflict === undefined ? { type: 'configChanged', resource, changes } : refusal(ErrorCode.INVALID_CONFIG, conflict)
}

function configsAfter(
  image: Image, resource: ConfigResource, changes: readonly (readonly [string, string | null])[],
): ReadonlyMap<string, string> {
  const configs = new Map(configsOf(image, resource))
  for (const [name, value] of changes) {
    if (value === null) configs.delete(name)
    else configs.set(name, value)
  }
  return configs
}

/** The edits that make `values` all that is set: what AlterConfigs means. */
export function editsToReplace(image: Image, resource: ConfigResource, values: ReadonlyMap<string, string | null>): ConfigEdit[] {
  const removed = [...configsOf(image, resource).keys()].filter((name) => !values.has(name))
  return [
    ...[...values].map(([name, value]) => ({ name, operation: value === null ? 'delete' as const : 'set' as const, value })),
    ...removed.map((name) => ({ name, operation: 'delete' as const, value: null })),
  ]
}

function refuseResource(image: Image, { kind, name }: ConfigResource): Refusal | undefined {
  if (kind === 'topic' && !image.topicIds.has(name)) {
    return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`)
  }
  if (kind === 'broker' && name !== '' && !image.brokers.has(Number(name))) {
    return refusal(ErrorCode.INVALID_REQUEST, `Unexpected broker id, but received ${name}`)
  }
  if (kind === 'group' && name === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.')
  return undefined
}

function valueAfter(image: Image, resource: ConfigResource, edit: ConfigEdit): string | null | Refusal {
  const { name, operation, value } = edit
  const settings = settingsOf[resource.kind]
  const setting = settings.get(name)
  // Kafka keeps what it does not know of a broker, for plugins that do.
  const isKept = setting !== undefined || resource.kind === 'broker'
  if (!isKept) return refusal(ErrorCode.INVALID_CONFIG, `Unknown ${resource.kind} config name: ${name}`)
  if (operation === 'delete') return null
  if (value === null) return refusal(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
  if (operation === 'set' && setting === undefined) return value
  if (setting === undefined || (operation !== 'set' && setting.type !== 'list')) {
    return refusal(ErrorCode.INVALID_CONFIG, `Config value ${operation} is not allowed for config: ${name}`)
  }
  const before = listOf(configsOf(image, resource).get(name) ?? setting.fallback)
  const after = edited(operation, before, value)
  const problem = problemWith(name, after, settings)
  return problem === undefined ? after : refusal(ErrorCode.INVALID_CONFIG, problem)
}

function edited(operation: ConfigOperation, before: readonly string[], value: string): string {
  if (operation === 'append') return [...new Set([...before, ...listOf(value)])].join(',')
  if (operation === 'subtract') return before.filter((one) => !listOf(value).includes(one)).join(',')
  return value
}
