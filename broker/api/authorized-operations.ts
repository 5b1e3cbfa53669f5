// Which operations a client may do, as a bit per operation code (KIP-430). Without an authoriser: all that a resource has.

/** What is sent where the client did not ask. */
export const notAsked = -2_147_483_648

const operation = {
  read: 3, write: 4, create: 5, delete: 6, alter: 7, describe: 8, clusterAction: 9, describeConfigs: 10,
  alterConfigs: 11, idempotentWrite: 12,
} as const

function bits(...codes: readonly number[]): number {
  return codes.reduce((sum, code) => sum + 2 ** code, 0)
}

export const allTopicOperations = bits(
  operation.read, operation.write, operation.create, operation.delete, operation.alter, operation.describe,
  operation.describeConfigs, operation.alterConfigs,
)

export const allGroupOperations = bits(
  operation.read, operation.delete, operation.describe, operation.describeConfigs, operation.alterConfigs,
)

export const allClusterOperations = bits(
  operation.create, operation.alter, operation.describe, operation.clusterAction, operation.describeConfigs,
  operation.alterConfigs, operation.idempotentWrite,
)
