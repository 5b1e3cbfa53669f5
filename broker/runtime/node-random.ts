import { randomBytes } from 'node:crypto'
import type { Random } from './random.ts'

export const nodeRandom: Random = {
  fraction: () => Math.random(),
  bytes: (length) => randomBytes(length),
}
