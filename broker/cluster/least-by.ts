/** The one with the smallest number; of several, the one with the smallest next number, and so on; then the first. */
export function leastBy<T>(all: readonly T[], ...numbers: readonly ((one: T) => number)[]): T {
  let left = all
  for (const number of numbers) {
    if (left.length === 1) break
    const values = left.map(number)
    const least = Math.min(...values)
    left = left.filter((_, index) => values[index] === least)
  }
  return left[0]!
}
