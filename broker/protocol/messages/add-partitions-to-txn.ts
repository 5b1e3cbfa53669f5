// Puts partitions into a transaction (KIP-98). Clients ask with v0-v3, one transaction at a time; leaders ask for them with
// v4-v5 (KIP-890), for many at once, or whether a partition is part of one already.

import { api, array, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

const topics = array({
  name: string,
  partitions: array(int32),
})

const results = array({
  name: string,
  resultsByPartition: array({
    partitionIndex: int32,
    partitionErrorCode: int16,
  }),
})

export const addPartitionsToTxnApi = api({
  key: 24, name: 'AddPartitionsToTxn', versions: [0, 5], flexible: 3,
  request: {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: bool.or(false),
      topics,
    }).or([]).from(4),
    v3AndBelowTransactionalId: string.or('').to(3),
    v3AndBelowProducerId: int64.or(0).to(3),
    v3AndBelowProducerEpoch: int16.or(0).to(3),
    v3AndBelowTopics: topics.or([]).to(3),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.or(0).from(4),
    resultsByTransaction: array({
      transactionalId: string,
      topicResults: results,
    }).or([]).from(4),
    resultsByTopicV3AndBelow: results.or([]).to(3),
  },
})

export type AddPartitionsToTxnRequest = RequestOf<typeof addPartitionsToTxnApi>
export type AddPartitionsToTxnResponse = ResponseOf<typeof addPartitionsToTxnApi>
