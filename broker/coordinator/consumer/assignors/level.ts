import type { Holder } from './holder.ts'

/** Do all subscribe to the same topics? Then any of them may have any partition. */
export function areLikeMinded(holders: readonly Holder[]): boolean {
  const first = holders[0]
  return first === undefined || holders.every(({ topicIds }) =>
    topicIds.size === first.topicIds.size && [...first.topicIds].every((topicId) => topicIds.has(topicId)))
}

/** Brings everybody to the same number, or one more for those who have most: they are the ones who would lose otherwise. */
export function level(holders: readonly Holder[]): void {
  const total = holders.reduce((sum, { count }) => sum + count, 0)
  const least = Math.floor(total / holders.length)
  const byCount = [...holders].sort((one, other) => other.count - one.count)
  const quotas = byCount.map((holder, index) => ({ holder, quota: index < total % holders.length ? least + 1 : least }))
  const surplus: { readonly topicId: string; readonly partition: number }[] = []
  for (const { holder, quota } of quotas) {
    for (const topicId of holder.heldTopics()) {
      for (let held = holder.countOf(topicId); held > 0 && holder.count > quota; held--) {
        surplus.push({ topicId, partition: holder.give(topicId) })
      }
    }
  }
  for (const { holder, quota } of quotas) {
    while (holder.count < quota) {
      const { topicId, partition } = surplus.pop()!
      holder.take(topicId, partition)
    }
  }
}
