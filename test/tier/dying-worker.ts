import { parentPort } from 'node:worker_threads'

// Stands in for the tier's thread, and ends with an error at the first call.
parentPort!.on('message', () => {
  throw new Error('nobody expected this')
})
parentPort!.postMessage('opened')
