import { api, int16, int64 } from '../schema.ts'

// Ours alone, from broker to broker: there is something new in the metadata log. The key lies far above Kafka's, and is not
// advertised. A hint that is lost costs the time until the next look at the table, and nothing else.

export const metadataHintApi = api({
  key: 20_000, name: 'MetadataHint', versions: [0, 0], flexible: 0,
  request: {
    /** Of the newest item that the sender knows. */
    sequence: int64,
  },
  response: {
    errorCode: int16,
  },
})

/** APIs from this key on are between brokers, and clients are not told of them. */
export const internalKeysStart = 20_000
