import { ErrorCode } from '../../protocol/error-code.ts'
import { type Decision, replyOnly, type Ticket } from '../decision.ts'
export interface ConsumerHeartbeat { readonly ticket: Ticket }
export function decideConsumerHeartbeat(_g: unknown, { ticket }: ConsumerHeartbeat, _n: unknown): Decision {
  return replyOnly(ticket, ErrorCode.UNSUPPORTED_VERSION)
}
