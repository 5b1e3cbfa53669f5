// While a simulation runs, nobody reads the real clock or throws real dice: it would make a run that cannot be had
// again. The globals are replaced, so that code which must not is caught in the act.

/** Runs with clock and dice taken away. `onUse` hears who wanted them; they get them all the same. */
export async function withoutRealTime<T>(onUse: (what: string) => void, run: () => Promise<T>): Promise<T> {
  const watched: readonly (readonly [object, string])[] = [
    [Date, 'now'], [Math, 'random'], [globalThis, 'setTimeout'], [globalThis, 'setInterval'], [performance, 'now'], [process, 'hrtime'],
  ]
  const undo = watched.map(([owner, name]) => watch(owner, name, onUse))
  try {
    return await run()
  } finally {
    for (const one of undo) one()
  }
}

function watch(owner: object, name: string, onUse: (what: string) => void): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name)
  const original = Reflect.get(owner, name) as (...given: unknown[]) => unknown
  Object.defineProperty(owner, name, {
    configurable: true, writable: true, enumerable: before?.enumerable ?? true,
    value: Object.assign((...given: unknown[]) => {
      onUse(name)
      return Reflect.apply(original, owner, given)
    }, original),
  })
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, before)
  }
}
