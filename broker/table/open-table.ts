import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { parseServiceAddress } from '../runtime/service-address.ts'
import { openDynamoDbTable } from './dynamodb-table.ts'
import { openSqliteTable } from './sqlite-table.ts'
import { type Table, TableError } from './table.ts'

export interface OpenTableOptions {
  readonly clock: Clock
  readonly random: Random
  /** Makes a DynamoDB table where there is none, for development. A SQLite file is always made. Default false. */
  readonly createMissing?: boolean
  /** What must not wait behind everything else (leases). SQLite writes what waits together. */
  readonly urgentPartitions?: readonly string[]
  /** Called once where an open table is beyond use (a damaged file, a dead thread): the broker has to stop. */
  readonly failed?: (cause: TableError) => void
}

export type TableAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'dynamodb'; readonly table: string; readonly endpoint?: string; readonly region?: string }

export const tableAddressForms = 'sqlite:PATH or dynamodb:NAME[?endpoint=URL&region=REGION]'

/** Throws `TableError` with code `invalid`, whose message names what is allowed. */
export function parseTableAddress(text: string): TableAddress {
  const [, kind, rest = ''] = /^(sqlite|dynamodb):(.+)$/.exec(text) ?? []
  if (kind === 'sqlite') return { kind, path: rest }
  if (kind === 'dynamodb') {
    const { name, ...where } = parsed(text, rest)
    if (/^[A-Za-z0-9_.-]{3,255}$/.test(name)) return { kind, table: name, ...where }
    throw invalid(text, 'a DynamoDB table has a name of 3 to 255 letters, digits, dots, dashes and underscores')
  }
  throw invalid(text, `it must be ${tableAddressForms}`)
}

/**
 * Opens the table at an address. The directory of a SQLite file must exist. Rejects with `TableError`: `invalid` where
 * the address is wrong or leads to something else, `away` where the table cannot be reached or made.
 */
export async function openTable(address: string, options: OpenTableOptions): Promise<Table> {
  const { clock, random, createMissing, urgentPartitions, failed } = options
  const parsedAddress = parseTableAddress(address)
  if (parsedAddress.kind === 'sqlite') {
    return await openSqliteTable({ path: parsedAddress.path, ...(failed === undefined ? {} : { failed }) })
  }
  const { table, endpoint, region } = parsedAddress
  return await openDynamoDbTable({ table, endpoint, region, clock, random, createMissing, urgentPartitions })
}

function parsed(text: string, rest: string) {
  try {
    return parseServiceAddress(rest)
  } catch (cause) {
    throw invalid(text, (cause as Error).message)
  }
}

function invalid(text: string, problem: string): TableError {
  return new TableError('invalid', `the table's address ${JSON.stringify(text)} is wrong: ${problem}`)
}
