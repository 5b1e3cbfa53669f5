// Which broker coordinates what. Group ids and transactional ids hash onto shards; a shard has one owner at a time.

import type { ErrorCode } from '../protocol/error-code.ts'

/** Shards of each kind. Stored items are found by it: it never changes. */
export const coordinatorShards = 32

export type CoordinatorKind = 'group' | 'transaction'

export interface CoordinatorNode {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/** Known to every broker; the lead answers it from the metadata image. */
export interface CoordinatorDirectory {
  /** This broker. */
  readonly brokerId: number
  /** Where clients find the owner of a shard, or why they cannot (COORDINATOR_NOT_AVAILABLE). */
  ownerOf(kind: CoordinatorKind, shard: number): CoordinatorNode | ErrorCode
  /** Whether nobody else can own by now what is this broker's; absent: always. */
  isCertain?(): boolean
  /** Resolves once whoever a client may ask next knows the owners as this broker does, or a moment later. */
  othersKnow?(): Promise<void>
}

/** FNV-1a over the key's UTF-16 code units: cheap, and the same on every broker. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % coordinatorShards
}
