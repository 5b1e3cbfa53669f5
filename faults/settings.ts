import { allFaults, faultsOnLocalstack } from './all-faults.ts'
import type { Fault } from './fault.ts'
import { tailFault } from './tail-faults.ts'

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

const only = process.env['LONGTAIL_FAULTS_ONLY']
const seconds = process.env['LONGTAIL_FAULTS_SECONDS']

/** Where it runs. There it is the link to the table that is of interest, and all else is as on one machine. */
const localstackUrl = process.env['LONGTAIL_LOCALSTACK_URL']
const tailMib = process.env['LONGTAIL_FAULTS_TAIL_MIB']
const gapFactor = number('LONGTAIL_FAULTS_GAP_FACTOR', 1)
const known = tailMib !== undefined ? [tailFault({ tailMib: Number(tailMib), gapFactor })] :
  localstackUrl === undefined ? allFaults : faultsOnLocalstack

/** The one that is called so, or all that have it in their names. */
export function named(faults: readonly Fault[], name: string | undefined): readonly Fault[] {
  if (name === undefined) return faults
  const exactly = faults.filter((fault) => fault.name === name)
  return exactly.length > 0 ? exactly : faults.filter((fault) => fault.name.includes(name))
}

/** What scripts/test-faults.ts hands over. */
export const settings = {
  localstackUrl,
  /** How long copies take is asked of the brokers alone. */
  arePeersDirect: tailMib !== undefined,
  faults: named(known, only),
  /** How long each fault lasts, where not as long as it says. */
  seconds: seconds === undefined ? undefined : Number(seconds),
  /** Of load before each fault, and after it. */
  quietSeconds: 3,
  gapFactor,
  rate: { recordsPerBatch: number('LONGTAIL_FAULTS_BATCH', 30), everyMs: number('LONGTAIL_FAULTS_EVERY_MS', 50) },
  reportPath: process.env['LONGTAIL_FAULTS_REPORT'],
  /** Of the whole suite; a part of it has its part of them. */
  acknowledgedMin: known === allFaults && only === undefined ? 500_000 : Math.floor(500_000 / allFaults.length / 2),
}
