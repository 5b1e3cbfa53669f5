import type { Fault } from './fault.ts'
import { networkFaults } from './network-faults.ts'
import { processFaults } from './process-faults.ts'
import { storeFaults } from './store-faults.ts'

export const allFaults: readonly Fault[] = [...processFaults, ...networkFaults, ...storeFaults]
