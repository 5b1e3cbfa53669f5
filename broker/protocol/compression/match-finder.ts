// What the compressors of LZ4 and Snappy have in common: along the input, runs of four bytes and more that were there before.

const tableBits = 14
const skipBits = 6

/** `start`: of the run; `distance`: back to the same bytes; both within the block. */
export type OnMatch = (start: number, distance: number, length: number) => void

/** Where bytes with this hash were last, in the block that is being compressed. */
const table = new Int32Array(1 << tableBits)

/**
 * Finds the runs in `input[start, end)` greedily, with the last place of each hash alone. Where nothing is found for long it
 * takes larger steps: what does not compress costs little. No run reaches into the last `tailBytes`.
 */
export function findMatches(
  input: Buffer, block: { readonly start: number; readonly end: number; readonly tailBytes: number }, on: OnMatch,
): void {
  const { start, end } = block
  const limit = end - block.tailBytes - 4
  table.fill(-1)
  let misses = 1 << skipBits
  for (let at = start; at <= limit; ) {
    const word = wordAt(input, at)
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - tableBits)
    const before = table[slot]!
    table[slot] = at
    if (before < 0 || wordAt(input, before) !== word) {
      at += misses++ >>> skipBits
      continue
    }
    const endMax = end - block.tailBytes
    let length = 4
    while (at + length < endMax && input[before + length] === input[at + length]) length++
    on(at, at - before, length)
    at += length
    misses = 1 << skipBits
  }
}

function wordAt(input: Buffer, at: number): number {
  return input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24)
}
