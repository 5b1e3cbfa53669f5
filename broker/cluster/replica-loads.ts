import { type Image, targetReplicas, type TopicImage } from './image.ts'

/** How many replicas each broker has, or is to have; those that have none are not in it. */
export function loadsOf(image: Image): Map<number, number> {
  return loadsOfAll([...image.topics.values()])
}

/** The same of these topics alone. */
export function loadsOfAll(topics: readonly Pick<TopicImage, 'partitions'>[]): Map<number, number> {
  // A map of numbers would be written to for each of tens of thousands of replicas, which takes longer than all the rest.
  const loads = new Map<number, { replicas: number }>()
  for (const { partitions } of topics) {
    for (const partition of partitions) {
      for (const id of targetReplicas(partition)) {
        const load = loads.get(id)
        if (load === undefined) loads.set(id, { replicas: 1 })
        else load.replicas++
      }
    }
  }
  return new Map([...loads].map(([id, { replicas }]) => [id, replicas]))
}
