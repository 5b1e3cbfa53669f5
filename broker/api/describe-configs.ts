// DescribeConfigs, v1-v4: settings of topics, brokers and groups, with their sources.
//   v1 synonyms (KIP-226)   v3 types and documentation (KIP-569)
// Not served: broker loggers and client metrics, which are refused with INVALID_REQUEST.

import { configsOf } from '../cluster/image.ts'
import { groupSettings } from '../cluster/group-config.ts'
import type { ConfigResource } from '../cluster/metadata-record.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { describeConfigsApi, type DescribeConfigsRequest, type DescribeConfigsResponse } from '../protocol/messages/describe-configs.ts'
import {
  type ConfigDescription, configSource, describeBrokerConfigs, describeIdentity, describeTopicConfigs,
} from './config-descriptions.ts'
import { configResource } from './config-resources.ts'
import type { ClusterContext } from './context.ts'
import type { HandlerOf } from './handler.ts'

type Asked = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponse['results'][number]

export function describeConfigs(context: ClusterContext): HandlerOf<typeof describeConfigsApi> {
  return {
    api: describeConfigsApi,

    handle: (request) => ({
      results: request.resources.map((asked) => {
        const resource = configResource(asked.resourceType, asked.resourceName)
        if (resource === undefined) return refused(asked, ErrorCode.INVALID_REQUEST, 'Unsupported resource type')
        const configs = describe(context, resource)
        if ('code' in configs) return refused(asked, configs.code, configs.message)
        const names = asked.configurationKeys
        return {
          errorCode: ErrorCode.NONE, errorMessage: null, resourceType: asked.resourceType, resourceName: asked.resourceName,
          configs: configs.filter(({ name }) => names === null || names.includes(name)).map((config) => ({
            ...config,
            synonyms: request.includeSynonyms ? config.synonyms : [],
            documentation: request.includeDocumentation ? config.documentation : null,
          })),
        }
      }),
    }),

    refuse: (request, code) => ({ results: request.resources.map((asked) => refused(asked, code, null)) }),
  }
}

function refused(asked: Asked, errorCode: number, errorMessage: string | null): Result {
  return { errorCode, errorMessage, resourceType: asked.resourceType, resourceName: asked.resourceName, configs: [] }
}

function describe(context: ClusterContext, resource: ConfigResource): ConfigDescription[] | { code: number; message: string } {
  const own = configsOf(context.image, resource)
  switch (resource.kind) {
    case 'topic':
      if (context.image.topicIds.has(resource.name)) return describeTopicConfigs(context.config, own)
      return { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${resource.name}' does not exist.` }
    case 'broker':
      if (resource.name === String(context.brokerId)) return [...identity(context), ...describeBrokerConfigs(context.config)]
      if (resource.name === '') return describeBrokerConfigs(context.config).filter(({ name }) => own.has(name))
      return {
        code: ErrorCode.INVALID_REQUEST,
        message: `Unexpected broker id, expected ${context.brokerId} or empty string, but received ${resource.name}`,
      }
    case 'group':
      return describeGroupConfigs(context, own)
  }
}

function identity({ brokerId, image }: ClusterContext): ConfigDescription[] {
  return describeIdentity({ id: brokerId, rack: image.brokers.get(brokerId)?.rack ?? null })
}

function describeGroupConfigs(context: ClusterContext, own: ReadonlyMap<string, string>): ConfigDescription[] {
  return [...groupSettings.values()].map((setting) => {
    const value = own.get(setting.name)
    const inherited = { name: `group.${setting.name}`, value: context.config.text(`group.${setting.name}`), source: configSource.fallback }
    const mine = value === undefined ? [] : [{ name: setting.name, value, source: configSource.group }]
    const first = mine[0] ?? inherited
    return {
      name: setting.name, value: first.value, readOnly: false, configSource: first.source, isSensitive: false,
      synonyms: [...mine, inherited], configType: 3, documentation: setting.about,
    }
  })
}
