import assert from 'node:assert/strict'

/** Where LocalStack is; `npm run test:localstack` starts one and says so here. */
export function localstackUrl(): string {
  const url = process.env['LONGTAIL_LOCALSTACK_URL']
  assert.ok(url, 'LONGTAIL_LOCALSTACK_URL is not set: run these tests with `npm run test:localstack`')
  // LocalStack takes any credentials, but the SDK wants some.
  process.env['AWS_ACCESS_KEY_ID'] ??= 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'test'
  process.env['AWS_EC2_METADATA_DISABLED'] ??= 'true'
  return url
}

export const region = 'eu-central-1'
