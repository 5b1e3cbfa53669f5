import type { Disk } from '../runtime/disk.ts'

export interface WalkOptions {
  readonly disk: Disk
  /** The folder that holds the objects. */
  readonly root: string
  readonly prefix: string
  /** Only keys behind this one. */
  readonly after: string
}

/**
 * The keys under a folder in their own order, and only as far as somebody asks. A directory sorts as if its name
 * ended with the slash that it has in a key: `a-b/x` comes before `a/x`, though `a` comes before `a-b`.
 */
export async function* walkKeys(options: WalkOptions, directory = ''): AsyncGenerator<string> {
  const { disk, root, prefix, after } = options
  const entries = await disk.entries(directory === '' ? root : `${root}/${directory}`)
  const names = entries
    .filter(({ name }) => !name.startsWith('.'))
    .map(({ name, isDirectory }) => (isDirectory ? `${directory}${name}/` : `${directory}${name}`))
    .sort((left, right) => (left < right ? -1 : 1))
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name.startsWith(prefix) && name > after) yield name
      continue
    }
    const canMatch = name.startsWith(prefix) || prefix.startsWith(name)
    const isBehind = name > after || after.startsWith(name)
    if (canMatch && isBehind) yield* walkKeys(options, name)
  }
}
