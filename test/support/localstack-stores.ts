import { randomUUID } from 'node:crypto'
import { openS3Store } from '../../broker/objects/s3-store.ts'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { openDynamoDbTable } from '../../broker/table/dynamodb-table.ts'
import type { ClusterProcessOptions } from './cluster-process.ts'

/** A table and a bucket of one cluster's own. `tableUrl`: where brokers look for the table, if not at `url` as well. */
export async function localstackStores(
  url: string, { tableUrl = url }: { readonly tableUrl?: string } = {},
): Promise<Required<Pick<ClusterProcessOptions, 'stores' | 'env'>>> {
  const name = `longtail-${randomUUID()}`
  const env = {
    AWS_ENDPOINT_URL: url, AWS_ENDPOINT_URL_DYNAMODB: tableUrl, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test', AWS_EC2_METADATA_DISABLED: 'true',
  }
  Object.assign(process.env, env)
  const common = { region: env.AWS_REGION, endpoint: url, clock: nodeClock, random: nodeRandom, createMissing: true }
  await (await openDynamoDbTable({ table: name, ...common })).close()
  await (await openS3Store({ bucket: name, prefix: '', ...common })).close()
  return { stores: ['--table', `dynamodb:${name}`, '--objects', `s3://${name}/log`], env }
}
