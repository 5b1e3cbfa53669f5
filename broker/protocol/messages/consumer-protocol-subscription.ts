import { array, bytes, int32, message, string } from '../schema.ts'

export const consumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription', versions: [0, 3], flexible: Infinity,
  fields: {
    topics: array(string),
    userData: bytes.nullable().or(null),
    ownedPartitions: array({
      topic: string,
      partitions: array(int32),
    }).from(1),
    generationId: int32.or(-1).from(2),
    rackId: string.nullable().or(null).from(3),
  },
})
