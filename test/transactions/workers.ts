// Which libraries transform, and how much of it each.

import { fileURLToPath } from 'node:url'
import { places } from '../../scripts/peer/cache.ts'
import { classPath, javaOptions } from '../../scripts/peer/kafka-tools.ts'
import type { WorkerProgram } from './worker.ts'

export interface WorkerKind extends WorkerProgram {
  readonly name: string
  readonly workers: number
  readonly inputPartitions: number
  /** Of all transactions. */
  readonly share: number
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const workerKinds: readonly WorkerKind[] = [
  { name: 'java', command: 'java', args: [...javaOptions, '-cp', `${places.classes}:${classPath}`, 'Pipeline'], workers: 6, inputPartitions: 6, share: 0.35 },
  { name: 'librdkafka', command: places.python, args: [here('../interop/python/pipeline.py')], workers: 6, inputPartitions: 6, share: 0.2 },
  { name: 'franz-go', command: `${places.programs}/franz-go-clients`, args: ['pipeline'], workers: 6, inputPartitions: 6, share: 0.3 },
  { name: 'kafkajs', command: process.execPath, args: [here('kafkajs-pipeline.ts')], workers: 4, inputPartitions: 4, share: 0.15 },
]
