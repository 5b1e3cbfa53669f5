// MetadataHint, v0, from other brokers: something was appended to the metadata log, so look now and not at the next turn.

import { ErrorCode } from '../protocol/error-code.ts'
import { metadataHintApi } from '../protocol/internal/metadata-hint.ts'
import type { HandlerOf } from './handler.ts'

export function metadataHint(onHint: (sequence: number) => void): HandlerOf<typeof metadataHintApi> {
  return {
    api: metadataHintApi,

    handle({ sequence }) {
      onHint(sequence)
      return { errorCode: ErrorCode.NONE }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
