import { allFaults } from './all-faults.ts'

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

const only = process.env['LONGTAIL_FAULTS_ONLY']
const seconds = process.env['LONGTAIL_FAULTS_SECONDS']

/** What scripts/test-faults.ts hands over. */
export const settings = {
  only,
  /** How long each fault lasts, where not as long as it says. */
  seconds: seconds === undefined ? undefined : Number(seconds),
  /** Of load before each fault, and after it. */
  quietSeconds: 3,
  gapFactor: number('LONGTAIL_FAULTS_GAP_FACTOR', 1),
  rate: { recordsPerBatch: number('LONGTAIL_FAULTS_BATCH', 30), everyMs: number('LONGTAIL_FAULTS_EVERY_MS', 50) },
  reportPath: process.env['LONGTAIL_FAULTS_REPORT'],
  /** Of the whole suite; a part of it has its part of them. */
  acknowledgedMin: only === undefined ? 500_000 : Math.floor(500_000 / allFaults.length / 2),
}
