import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { Seeds } from './crash-runs.ts'

/** LONGTAIL_SEED runs one seed alone, LONGTAIL_SEEDS that many from 1 on. */
const one = process.env['LONGTAIL_SEED']
const first = Number(one ?? 1)
const end = one === undefined ? first + Number(process.env['LONGTAIL_SEEDS'] ?? 2000) : first + 1

test(`what was acknowledged outlives ${end - first} runs of crashes`, async () => {
  const middle = Math.ceil((first + end) / 2)
  await Promise.all([run({ first, end: middle }), run({ first: middle, end })])
})

async function run(seeds: Seeds): Promise<void> {
  await once(new Worker(new URL('crash-runs.ts', import.meta.url), { workerData: seeds }), 'message')
}
