import type { SeededRandom } from '../support/seeded-random.ts'

/** Values at which lengths, counts and numbers go wrong, big-endian. */
const troublesome = [
  '00', '01', '7f', '80', 'ff', '0000', 'ffff', '7fff', '8000', '00000000', 'ffffffff', 'fffffffe', '7fffffff', '80000000', '00ffffff',
  '0000000000000000', 'ffffffffffffffff', '7fffffffffffffff', '8000000000000000', '0020000000000000', '001fffffffffffff',
  // Varints: none that ends, the widest, one that is too wide, one that is longer than it must be.
  'ffffffffff', 'ffffffff0f', 'ffffffff7f', '8080808000', 'ffffffffffffffffff01', 'feffffff0f',
].map((hex) => Buffer.from(hex, 'hex'))

/** Damages `bytes` in one to four ways; never changes them in place. */
export function mutate(bytes: Buffer, random: SeededRandom): Buffer {
  let changed = Buffer.from(bytes)
  for (let count = 1 + random.below(4); count > 0; count--) changed = damage(changed, random)
  return changed
}

function damage(bytes: Buffer, random: SeededRandom): Buffer<ArrayBuffer> {
  const own = bytes as Buffer<ArrayBuffer>
  const at = random.below(bytes.length + 1)
  switch (random.below(8)) {
    case 0: case 1:
      if (at < bytes.length) own[at] = own[at]! ^ (1 << random.below(8))
      return own
    case 2: case 3: case 4: {
      const value = random.pick(troublesome)
      value.copy(own, at, 0, Math.min(value.length, bytes.length - at))
      return own
    }
    case 5: return own.subarray(0, at)
    case 6: return Buffer.concat([own.subarray(0, at), random.pick(troublesome), own.subarray(at)])
    default: {
      const length = Math.min(random.below(20), bytes.length - at)
      // Takes a piece out, or has it twice.
      return Buffer.concat([own.subarray(0, at), own.subarray(random.chance(0.5) ? at + length : Math.max(0, at - length))])
    }
  }
}
