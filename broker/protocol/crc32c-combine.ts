// The CRC32C of two pieces, one behind the other, from the CRC32Cs of the pieces: without a look at the bytes.
//
// A CRC is linear: bytes that follow a piece do to its CRC what as many zeros would do, and add what they are themselves.
// "So many zeros" is a matrix over GF(2), kept as 32 columns; that of twice as many is its square, so the matrices for
// 1, 2, 4, 8, … bytes are all there is to keep (Mark Adler's crc32_combine is the usual reference).

type Matrix = Int32Array

/** [n]: what 2^n zero bytes do. */
const zeros: Matrix[] = [oneZeroByte()]

/**
 * `crc32c` of the first piece's bytes followed by the second's. `secondBytes`: how many the second has, at most 2^53 - 1.
 * The work is that of a few hundred bytes, whatever the length; least where the length is a power of two.
 */
export function combineCrc32c(first: number, second: number, secondBytes: number): number {
  let crc = first | 0
  for (let left = secondBytes, power = 0; left > 0; left = Math.floor(left / 2), power++) {
    if (left % 2 === 1) crc = times(zerosOf(power), crc)
  }
  return (crc ^ second) >>> 0
}

function zerosOf(power: number): Matrix {
  while (zeros.length <= power) {
    const last = zeros.at(-1)!
    zeros.push(last.map((column) => times(last, column)))
  }
  return zeros[power]!
}

function times(matrix: Matrix, vector: number): number {
  let product = 0
  for (let bit = 0, rest = vector; rest !== 0; bit++, rest >>>= 1) if (rest & 1) product ^= matrix[bit]!
  return product
}

function oneZeroByte(): Matrix {
  return Int32Array.from({ length: 32 }, (_, bit) => {
    let crc = 1 << bit
    for (let step = 0; step < 8; step++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
    return crc
  })
}
