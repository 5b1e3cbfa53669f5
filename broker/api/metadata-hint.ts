// MetadataHint, v0, from other brokers: something was appended to the metadata log, so look now and not at the next turn. The
// answer says that this broker goes by it from now on; where the table does not show it, it comes a while later nevertheless.

import { ErrorCode } from '../protocol/error-code.ts'
import { metadataHintApi } from '../protocol/internal/metadata-hint.ts'
import type { HandlerOf } from './handler.ts'

export function metadataHint(onHint: (sequence: number) => Promise<void>): HandlerOf<typeof metadataHintApi> {
  return {
    api: metadataHintApi,

    async handle({ sequence }) {
      await onHint(sequence)
      return { errorCode: ErrorCode.NONE }
    },

    refuse: (_request, errorCode) => ({ errorCode }),
  }
}
