// A process that compacts one partition until nothing is left to do, as a function in the cloud does, and prints how each try
// ended. Where it is told to, it stops itself with an object stored that no row names: what it has read of the manifest gets old then.
//
//   node faults/compactor.ts JSON     (`CompactorTask`)

import { compactUntilIdle, type OutsideOptions } from '../test/support/outside-compactor.ts'

export interface CompactorTask extends Omit<OutsideOptions, 'onStored'> {
  /** The number of the object that it stops with, from 1; undefined: it does not. */
  readonly stopsAtObject?: number
}

const task = JSON.parse(process.argv[2]!) as CompactorTask
let stored = 0
const onStored = (): void => {
  if (++stored === task.stopsAtObject) process.kill(process.pid, 'SIGSTOP')
}
await compactUntilIdle({ ...task, onStored }, (how) => console.log(how))
