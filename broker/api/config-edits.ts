import { type ConfigEdit, planEdits } from '../cluster/config-changes.ts'
import type { Image } from '../cluster/image.ts'
import type { ConfigResource, MetadataRecord } from '../cluster/metadata-record.ts'
import type { Refusal } from '../cluster/topic-changes.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { configResource } from './config-resources.ts'
import type { ClusterContext } from './context.ts'

interface AskedResource {
  readonly resourceType: number
  readonly resourceName: string
}

interface EditAnswer extends AskedResource {
  readonly errorCode: number
  readonly errorMessage: string | null
}

/**
 * Appends the edits of all resources that can be edited at once, and answers for each. `edits` is asked again when
 * someone else's change came first; undefined from it means an operation that does not exist.
 */
export async function carryOut(
  context: ClusterContext,
  request: { readonly resources: readonly AskedResource[]; readonly validateOnly: boolean },
  edits: (image: Image, resource: ConfigResource, index: number) => readonly ConfigEdit[] | undefined,
): Promise<EditAnswer[]> {
  const seen = new Set<string>()
  const refuseTwice = request.resources.map(({ resourceType, resourceName }) => {
    const key = `${resourceType}:${resourceName}`
    return seen.size === seen.add(key).size
  })
  const refusals = await context.metadata.change((image) => {
    const records: MetadataRecord[] = []
    const answer = request.resources.map((asked, index): Refusal | undefined => {
      const resource = configResource(asked.resourceType, asked.resourceName)
      if (resource === undefined) return { code: ErrorCode.INVALID_REQUEST, message: 'Unsupported resource type' }
      if (refuseTwice[index]) return { code: ErrorCode.INVALID_REQUEST, message: 'Each resource must appear at most once.' }
      const wanted = edits(image, resource, index)
      if (wanted === undefined) return { code: ErrorCode.INVALID_REQUEST, message: 'Unknown operation type' }
      const plan = planEdits(image, resource, wanted)
      if ('code' in plan) return plan
      if (plan.changes.length > 0) records.push(plan)
      return undefined
    })
    return { records: request.validateOnly ? [] : records, answer }
  })
  return request.resources.map(({ resourceType, resourceName }, index) => ({
    resourceType, resourceName,
    errorCode: refusals[index]?.code ?? ErrorCode.NONE,
    errorMessage: refusals[index]?.message ?? null,
  }))
}
