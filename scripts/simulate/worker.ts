import { parentPort } from 'node:worker_threads'
import type { RunOptions } from '../../sim/options.ts'
import { runOnce } from './run-once.ts'

parentPort!.on('message', (options: RunOptions) => {
  void runOnce(options).then((outcome) => parentPort!.postMessage(outcome))
})
