// How DescribeConfigs and CreateTopics show settings: value, where it comes from, what it overrides.

import { type BrokerConfig, brokerNameOf, brokerSettings } from '../cluster/broker-config.ts'
import { type Setting, type SettingType, topicSettings } from '../cluster/topic-config.ts'
import type { DescribeConfigsResponse } from '../protocol/messages/describe-configs.ts'

export type ConfigDescription = DescribeConfigsResponse['results'][number]['configs'][number]

/** Kafka's codes for where a value comes from. */
export const configSource = {
  topic: 1, broker: 2, cluster: 3, start: 4, fallback: 5, group: 8,
} as const

const typeCodes: { readonly [type in SettingType]: number } = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 }

type Synonym = NonNullable<ConfigDescription['synonyms']>[number]

/** Every topic setting; `own`: what the topic itself has set. */
export function describeTopicConfigs(config: BrokerConfig, own: ReadonlyMap<string, string>): ConfigDescription[] {
  return [...topicSettings.values()].map((setting) => {
    const value = own.get(setting.name)
    const brokerName = brokerNameOf(setting.name)
    const inherited = brokerName === undefined ? [] : brokerSynonyms(config, brokerName)
    const mine = value === undefined ? [] : [{ name: setting.name, value, source: configSource.topic }]
    return description(setting, [...mine, ...inherited])
  })
}

/** Every broker setting. */
export function describeBrokerConfigs(config: BrokerConfig): ConfigDescription[] {
  return [...brokerSettings.values()].map((setting) => description(setting, brokerSynonyms(config, setting.name)))
}

/** What a broker is started with and stays. Kafka counts it among the settings; clients look there for racks (KIP-392). */
export function describeIdentity({ id, rack }: { readonly id: number; readonly rack: string | null }): ConfigDescription[] {
  return [
    fixed({ name: 'node.id', type: 'int', about: 'This broker\'s number in the cluster' }, String(id)),
    fixed({ name: 'broker.rack', type: 'string', about: 'Where this broker stands, such as an availability zone' }, rack),
  ]
}

function fixed({ name, type, about }: Pick<Setting, 'name' | 'type' | 'about'>, value: string | null): ConfigDescription {
  return {
    name, value, readOnly: true, configSource: value === null ? configSource.fallback : configSource.start, isSensitive: false,
    synonyms: value === null ? [] : [{ name, value, source: configSource.start }],
    configType: typeCodes[type], documentation: about,
  }
}

/** The values that a broker setting has, the one that counts first; the default last. */
function brokerSynonyms(config: BrokerConfig, name: string): Synonym[] {
  const set = config.set(name)
  const fallback = { name, value: brokerSettings.get(name)!.fallback, source: configSource.fallback }
  return set === undefined ? [fallback] : [{ name, value: set.value, source: configSource[set.from] }, fallback]
}

function description(setting: Setting, synonyms: readonly Synonym[]): ConfigDescription {
  const first = synonyms[0] ?? { value: setting.fallback, source: configSource.fallback }
  return {
    name: setting.name,
    value: first.value,
    readOnly: false,
    configSource: first.source,
    isSensitive: false,
    synonyms,
    configType: typeCodes[setting.type],
    documentation: setting.about,
  }
}
