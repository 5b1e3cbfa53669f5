/** Names of a subscription in order and without repetitions; the same object as before where nothing changed. */
export function topicNamesOf(names: readonly string[], before: readonly string[]): readonly string[] {
  const sorted = [...new Set(names)].sort()
  const isSame = sorted.length === before.length && sorted.every((name, index) => name === before[index])
  return isSame ? before : sorted
}
