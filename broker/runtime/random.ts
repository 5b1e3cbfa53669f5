/** The dice. Everything below `main` takes one, so that a simulation can own chance. */
export interface Random {
  /** A fraction in [0, 1). */
  fraction(): number
  /** `length` unpredictable bytes. */
  bytes(length: number): Buffer
}

/** A Kafka uuid: 128 random bits (RFC 9562 version 4), written as 22 characters of base64url. */
export type Uuid = string

/** What the protocol sends where there is no uuid. */
export const zeroUuid: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'

/**
 * A new uuid that does not start with a dash: Kafka avoids those because command lines take them for flags.
 */
export function newUuid(random: Random): Uuid {
  for (;;) {
    const bytes = random.bytes(16)
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
    const uuid = bytes.toString('base64url')
    if (!uuid.startsWith('-')) return uuid
  }
}
