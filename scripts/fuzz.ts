// `npm run fuzz -- --decodes 10000000 --seed 7 [--target batches] [--seconds 180]`: damages valid bytes and shows them to every decoder
// that reads from the network or the object store. A crasher is printed with what is needed to see it again.

import { parseArgs } from 'node:util'
import { fuzz } from '../test/fuzz/fuzz.ts'

const { values } = parseArgs({
  options: {
    decodes: { type: 'string', default: '5000000' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string' }, seconds: { type: 'string', default: 'Infinity' },
  },
})
const decodesPerRound = 200_000
const end = Date.now() + Number(values.seconds) * 1000
const first = Number(values.seed)
const totals = new Map<string, { decodes: number; understood: number; msMax: number }>()

console.log(`seed ${first}`)
for (let left = Number(values.decodes), seed = first; left > 0 && Date.now() < end; left -= decodesPerRound, seed++) {
  for (const { name, decodes, understood, msMax } of fuzz({ decodes: Math.min(left, decodesPerRound), seed, only: values.target })) {
    const total = totals.get(name) ?? { decodes: 0, understood: 0, msMax: 0 }
    totals.set(name, { decodes: total.decodes + decodes, understood: total.understood + understood, msMax: Math.max(total.msMax, msMax) })
  }
}
console.table(Object.fromEntries(totals))
