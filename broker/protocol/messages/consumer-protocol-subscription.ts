// What a member of a classic group subscribes to: a blob inside of JoinGroup, behind a version of 2 bytes. v1 brought
// the partitions that the member owns (KIP-429), v2 the generation in which it owned them (KIP-792), v3 its rack
// (KIP-881). A newer version is read as the newest that we know.

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
