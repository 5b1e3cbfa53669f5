// Ours alone, between the coordinator of a transaction and that of a group whose offsets are part of it. Kafka has a partition
// of offsets for this, which Longtail has not: its offsets are in the table.

import { api, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

/** To the transaction's coordinator: the group is part of the transaction from now on, or, with `verifyOnly`, is it already? */
export const addGroupToTxnApi = api({
  key: 20_001, name: 'AddGroupToTxn', versions: [0, 0], flexible: 0,
  request: {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
    verifyOnly: bool,
  },
  response: {
    errorCode: int16,
    /** As in the markers of the transaction; -1: not said. */
    coordinatorEpoch: int32.or(-1),
  },
})

/** To the group's coordinator: how the transaction ended whose offsets wait there. May come more than once. */
export const endTxnOffsetsApi = api({
  key: 20_002, name: 'EndTxnOffsets', versions: [0, 0], flexible: 0,
  request: {
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
    coordinatorEpoch: int32,
    /** The epoch is that of the markers, higher than that of what waits: each transaction has one of its own (KIP-890). */
    hasOwnEpoch: bool.or(false),
  },
  response: {
    errorCode: int16,
  },
})

export type AddGroupToTxnRequest = RequestOf<typeof addGroupToTxnApi>
export type AddGroupToTxnResponse = ResponseOf<typeof addGroupToTxnApi>
export type EndTxnOffsetsRequest = RequestOf<typeof endTxnOffsetsApi>
export type EndTxnOffsetsResponse = ResponseOf<typeof endTxnOffsetsApi>
