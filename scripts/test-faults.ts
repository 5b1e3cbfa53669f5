// `npm run test:faults`: three broker processes with a proxy on every link, under load, and a fault after another. Each has
// to have had an effect, and the simulator's checker has to find nothing wrong with what clients saw.
//
//   node scripts/test-faults.ts [--localstack | --tail-mib N] [--list] [--only NAME] [--seconds N] [--gap-factor N] [--report FILE]
//
// --localstack: on DynamoDB and S3, with the link to the table as what fails; --tail-mib: a broker whose disk held so much and was
// lost, alone; --only: the fault that is called NAME, or those
// with it in their names; --seconds: each lasts so long; --gap-factor: gaps may be so many times as long as
// promised (1), for machines that others use too; --report: where the page goes that is printed.

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { allFaults, faultsOnLocalstack } from '../faults/all-faults.ts'
import { withLocalstack } from './localstack.ts'

const { values } = parseArgs({
  options: {
    list: { type: 'boolean' }, only: { type: 'string' }, seconds: { type: 'string' }, 'gap-factor': { type: 'string' },
    report: { type: 'string' }, localstack: { type: 'boolean', default: false },
    'tail-mib': { type: 'string' },
  },
})
const known = values.localstack ? faultsOnLocalstack : allFaults
if (values.list) {
  for (const { name, row, gapMsMax } of known) console.log(`${row.padEnd(5)}${name}${gapMsMax === undefined ? '' : `, ${gapMsMax} ms`}`)
  process.exit(0)
}
if (values.only !== undefined && !known.some(({ name }) => name.includes(values.only!))) {
  console.error(`no fault has '${values.only}' in its name; --list names them`)
  process.exit(2)
}
const variables = {
  LONGTAIL_FAULTS_ONLY: values.only, LONGTAIL_FAULTS_SECONDS: values.seconds, LONGTAIL_FAULTS_GAP_FACTOR: values['gap-factor'],
  LONGTAIL_FAULTS_TAIL_MIB: values['tail-mib'],
  LONGTAIL_FAULTS_REPORT: values.report === undefined ? undefined : resolve(values.report),
}
const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))

function run(localstackUrl: string | undefined): Promise<number> {
  const { status } = spawnSync(process.execPath, ['--test', '--test-force-exit', '--test-reporter=spec', 'faults/suite.ts'], {
    stdio: 'inherit',
    env: { ...process.env, ...given, ...(localstackUrl === undefined ? {} : { LONGTAIL_LOCALSTACK_URL: localstackUrl }) },
  })
  return Promise.resolve(status ?? 1)
}

process.exitCode = values.localstack ? await withLocalstack(run) : await run(undefined)
