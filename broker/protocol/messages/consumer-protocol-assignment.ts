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
