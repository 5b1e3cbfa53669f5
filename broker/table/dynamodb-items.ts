import type { EncodedWrite } from './encoded-write.ts'
import type { SortRange } from './sort-range.ts'
import type { Item, Json, Key } from './table.ts'

/*
 * How an item lies in DynamoDB:
 *
 *   p  partition   S  ─┐ the table's keys (HASH, RANGE)
 *   s  sort key    S  ─┘
 *   v  version     N
 *   d  the value   S, as JSON: opaque to DynamoDB, exactly what SQLite keeps
 *   t  token       S, of the commit that wrote it; a writer recognises its own write by it
 */
export type AttributeValue = { readonly S: string } | { readonly N: string }
export type Attributes = Record<string, AttributeValue>

export const keySchema = [
  { AttributeName: 'p', KeyType: 'HASH' },
  { AttributeName: 's', KeyType: 'RANGE' },
] as const

export function keyAttributes({ partition, sort }: Key) {
  return { p: { S: partition }, s: { S: sort } }
}

export function itemOf(attributes: Readonly<Record<string, unknown>>): Item {
  const value = JSON.parse(text(attributes['d'])) as Json
  return { partition: text(attributes['p']), sort: text(attributes['s']), version: versionOf(attributes), value }
}

export function versionOf(attributes: Readonly<Record<string, unknown>>): number {
  return Number((attributes['v'] as { N: string }).N)
}

export function tokenOf(attributes: Readonly<Record<string, unknown>>): string {
  return text(attributes['t'])
}

function text(attribute: unknown): string {
  return (attribute as { S: string }).S
}

/** What asks for the item that a condition failed on, to compare tokens. */
const returnFound = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const

/** A put whose version is known: the form that is half the price of a transaction. */
export function conditionalPut(
  write: EncodedWrite & { readonly kind: 'put'; readonly expect: number | 'absent' },
  token: string,
) {
  const version = write.expect === 'absent' ? 1 : write.expect + 1
  const Item = { ...keyAttributes(write.key), v: { N: `${version}` }, d: { S: write.text }, t: { S: token } }
  return { Item, ...condition(write.expect), ...returnFound }
}

/** One entry of a transaction; `table` is its name. */
export function transactionEntry(write: EncodedWrite, { table, token }: { readonly table: string; readonly token: string }) {
  const keyed = { TableName: table, Key: keyAttributes(write.key), ...returnFound }
  if (write.kind === 'check') return { ConditionCheck: { ...keyed, ...condition(write.expect) } }
  if (write.kind === 'delete') {
    return { Delete: { ...keyed, ...(write.expect === 'any' ? {} : condition(write.expect as number)) } }
  }
  const { expect } = write
  if (expect !== 'any') return { Put: { TableName: table, ...conditionalPut({ ...write, expect }, token) } }
  return {
    Update: {
      ...keyed,
      UpdateExpression: 'SET v = if_not_exists(v, :zero) + :one, d = :d, t = :t',
      ExpressionAttributeValues: { ':zero': { N: '0' }, ':one': { N: '1' }, ':d': { S: write.text }, ':t': { S: token } },
    },
  }
}

function condition(expect: number | 'absent'): { ConditionExpression: string; ExpressionAttributeValues?: Attributes } {
  if (expect === 'absent') return { ConditionExpression: 'attribute_not_exists(p)' }
  return { ConditionExpression: 'v = :version', ExpressionAttributeValues: { ':version': { N: `${expect}` } } }
}

/** A key condition may bound the sort key once, and BETWEEN includes its end: the caller drops that one. */
export function keyCondition(partition: string, { start, end }: SortRange) {
  const values: Attributes = { ':p': { S: partition } }
  if (start !== undefined) values[':start'] = { S: start }
  if (end !== undefined) values[':end'] = { S: end }
  return {
    KeyConditionExpression: `p = :p${sortCondition(start !== undefined, end !== undefined)}`,
    ExpressionAttributeValues: values,
  }
}

function sortCondition(hasStart: boolean, hasEnd: boolean): string {
  if (hasStart) return hasEnd ? ' AND s BETWEEN :start AND :end' : ' AND s >= :start'
  return hasEnd ? ' AND s < :end' : ''
}
