import type { ConfigResource } from '../cluster/metadata-record.ts'

/** The protocol's codes for kinds of resources that have settings. */
export const resourceCode = { topic: 2, broker: 4, group: 32 } as const

const kinds: ReadonlyMap<number, ConfigResource['kind']> = new Map([
  [resourceCode.topic, 'topic'],
  [resourceCode.broker, 'broker'],
  [resourceCode.group, 'group'],
])

/** Undefined: a kind that we have no settings for, such as broker loggers and client metrics. */
export function configResource(code: number, name: string): ConfigResource | undefined {
  const kind = kinds.get(code)
  return kind === undefined ? undefined : { kind, name }
}
