import { compactionFaults } from './compaction-faults.ts'
import type { Fault } from './fault.ts'
import { groupFaults } from './group-faults.ts'
import { networkFaults } from './network-faults.ts'
import { processFaults } from './process-faults.ts'
import { storeFaults } from './store-faults.ts'
import { tableFaults } from './table-faults.ts'
import { transactionFaults } from './transaction-faults.ts'

export const allFaults: readonly Fault[] = [...processFaults, ...networkFaults, ...storeFaults, ...transactionFaults, ...groupFaults, ...compactionFaults]

/** Those of a table that brokers reach over a link. */
export const faultsOnLocalstack: readonly Fault[] = tableFaults
