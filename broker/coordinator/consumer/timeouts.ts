import { nothing } from '../decision.ts'
export function decideConsumerTimeouts(_g: unknown, _m: readonly string[], _n: unknown) { return nothing }
