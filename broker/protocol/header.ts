// What stands before a message (KIP-482 gave both a second form):
//
//   request   key 2 | version 2 | correlation id 4 | client id, nullable, never compact | tagged fields (flexible)
//   response  correlation id 4 | tagged fields (flexible, but never for ApiVersions)
//
// A client that asks for a version of ApiVersions that we do not know cannot yet know which header we would send, so
// the response header of that API stays in its first form for ever (KIP-511).

import { codec, decode } from './codec.ts'
import { apiVersionsApi } from './messages/api-versions.ts'
import { MalformedMessage, Reader } from './reader.ts'
import { type Api, includes, type ReadOf, type Shape } from './schema.ts'
import { Writer } from './writer.ts'

export interface RequestHeader {
  readonly key: number
  readonly version: number
  readonly correlationId: number
  /** As the client calls itself; null where it does not. */
  readonly clientId: string | null
}

export type DecodedRequest =
  | { readonly kind: 'request'; readonly header: RequestHeader; readonly api: Api; readonly body: Record<string, unknown> }
  /** A key or a version that is not served; `correlationId` is all that could be understood. */
  | { readonly kind: 'unsupported'; readonly key: number; readonly version: number; readonly correlationId: number }

/**
 * Throws `MalformedMessage` where the frame does not hold what its header says. Bytes behind the message are ignored, as
 * Kafka ignores them: librdkafka 2.15 sends three too many when it asks Metadata v9 and later for all topics.
 */
export function decodeRequest(frame: Buffer, apiOf: (key: number) => Api | undefined): DecodedRequest {
  const reader = new Reader(frame)
  const key = reader.int16()
  const version = reader.int16()
  const correlationId = reader.int32()
  const api = apiOf(key)
  if (api === undefined || !includes(api.versions, version)) return { kind: 'unsupported', key, version, correlationId }
  const length = reader.int16()
  if (length < -1) throw new MalformedMessage(`a client id of ${length} bytes`)
  const clientId = length < 0 ? null : reader.string(length)
  if (version >= api.flexible) reader.skipTags()
  const body = codec(api.request, version).read(reader)
  return { kind: 'request', header: { key, version, correlationId, clientId }, api, body }
}

/** A request with its length before it, in pieces for one gathering write; record batches are not copied. */
export function encodeRequest(
  api: Api, header: { readonly version: number; readonly correlationId: number; readonly clientId: string | null }, request: object,
): readonly Uint8Array[] {
  const { version, correlationId, clientId } = header
  const writer = new Writer()
  writer.int32(0)
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(correlationId)
  if (clientId === null) writer.int16(-1)
  else writer.string(clientId)
  if (version >= api.flexible) writer.uvarint(0)
  codec(api.request, version).write(writer, request as Record<string, never>)
  return withLength(writer)
}

/** The body of a reply, whose frame begins with the correlation id. Throws `MalformedMessage`, also for bytes behind it. */
export function decodeResponse<P extends Shape>(api: Api<Shape, P>, version: number, frame: Buffer): ReadOf<P> {
  const reader = new Reader(frame, 4)
  if (version >= api.flexible && api.key !== apiVersionsApi.key) reader.skipTags()
  return decode(api.response, version, frame.subarray(reader.position))
}

/** The reply with its length before it, in pieces for one gathering write; record batches are not copied. */
export function encodeResponse(
  api: Api, header: { readonly version: number; readonly correlationId: number }, response: object,
): readonly Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int32(header.correlationId)
  if (header.version >= api.flexible && api.key !== apiVersionsApi.key) writer.uvarint(0)
  codec(api.response, header.version).write(writer, response as Record<string, never>)
  return withLength(writer)
}

function withLength(writer: Writer): readonly Uint8Array[] {
  const length = writer.length - 4
  const pieces = writer.finish()
  new DataView(pieces[0]!.buffer, pieces[0]!.byteOffset, 4).setInt32(0, length)
  return pieces
}
