// What a member of a classic group is assigned, as its leader wrote it: a blob inside of SyncGroup, behind a version of
// 2 bytes. A newer version is read as the newest that we know; fields are only ever added.

import { array, bytes, int32, message, string } from '../schema.ts'

export const consumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment', versions: [0, 3], flexible: Infinity,
  fields: {
    assignedPartitions: array({
      topic: string,
      partitions: array(int32),
    }),
    userData: bytes.nullable().or(null),
  },
})
