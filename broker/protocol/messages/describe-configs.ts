// v1 says where a value comes from, and what stands behind it (KIP-226); v3 brought types and documentation (KIP-569).

import { api, array, bool, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const describeConfigsApi = api({
  key: 32, name: 'DescribeConfigs', versions: [1, 4], flexible: 4,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configurationKeys: array(string).nullable(),
    }),
    includeSynonyms: bool.or(false),
    includeDocumentation: bool.or(false).from(3),
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        configSource: int8.or(-1),
        isSensitive: bool,
        synonyms: array({
          name: string,
          value: string.nullable(),
          source: int8,
        }),
        configType: int8.or(0).from(3),
        documentation: string.nullable().from(3),
      }),
    }),
  },
})

export type DescribeConfigsRequest = RequestOf<typeof describeConfigsApi>
export type DescribeConfigsResponse = ResponseOf<typeof describeConfigsApi>
