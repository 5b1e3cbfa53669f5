import { crc32c } from '../protocol/crc32c.ts'
import { type ObjectBody, ObjectStoreError } from './object-store.ts'

/**
 * The chunks of a body, held against its own length and checksum: what changed between its promise and the upload
 * is found here, before the object counts. Throws `ObjectStoreError` with code `damaged` behind the last chunk, or
 * where the body cannot be read.
 */
export async function* verifiedChunks(key: string, object: ObjectBody): AsyncGenerator<Uint8Array> {
  let length = 0
  let checksum = 0
  for await (const chunk of readable(key, object)) {
    length += chunk.length
    if (length > object.length) break
    checksum = crc32c(chunk, checksum)
    yield chunk
  }
  if (length === object.length && checksum === object.crc32c) return
  const promised = `${object.length} bytes with CRC32C ${object.crc32c}`
  throw new ObjectStoreError('damaged', `${key}: promised ${promised}, read ${length} bytes with ${checksum}`)
}

async function* readable(key: string, object: ObjectBody): AsyncGenerator<Uint8Array> {
  try {
    yield* object.chunks()
  } catch (cause) {
    throw new ObjectStoreError('damaged', `${key}: its content cannot be read`, cause)
  }
}
