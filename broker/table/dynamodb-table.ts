import type { DynamoDBClient, QueryCommandInput } from '@aws-sdk/client-dynamodb'
import type { BackoffOptions } from '../runtime/backoff.ts'
import { Budget, BudgetError } from '../runtime/budget.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { type RetryOptions, retry } from '../runtime/retry.ts'
import { withTimeout } from '../runtime/timeout.ts'
import { type FoundItem, judge } from './dynamodb-errors.ts'
import {
  conditionalPut,
  itemOf,
  keyAttributes,
  keyCondition,
  keySchema,
  tokenOf,
  transactionEntry,
  versionOf,
} from './dynamodb-items.ts'
import { bytesOf, checkKey, type EncodedWrite, encodeWrites } from './encoded-write.ts'
import { type SortRange, sortRange } from './sort-range.ts'
import { type CommitResult, type Item, type Key, type Range, type Table, TableError, type Write } from './table.ts'

// The table in DynamoDB. Reads are strongly consistent, writes conditional.
//
// A put under a version is a PutItem. Every other commit is a TransactWriteItems, a single one too where it deletes
// or takes any version: those leave nothing behind by which a writer could recognise its own write after a lost
// answer, while DynamoDB itself recognises a transaction by its ClientRequestToken, for ten minutes.
//
// A lost answer: the request is sent again, as it was. A PutItem that was carried out the first time then fails its
// condition, and the item that comes with the failure has our token: we won. If it has another token and the very
// version that we would have written, somebody else came first. Otherwise ours may have been written and then
// overwritten, and the outcome is `unknown`.
//
// Not for global tables: between regions the last writer wins, and conditions hold nothing.

type Sdk = typeof import('@aws-sdk/client-dynamodb')

export interface DynamoDbTableOptions {
  readonly table: string
  /** Else what the SDK finds: AWS_REGION or the profile. */
  readonly region?: string | undefined
  /** Else AWS_ENDPOINT_URL, else the region's own. */
  readonly endpoint?: string | undefined
  readonly clock: Clock
  readonly random: Random
  /** Makes the table where there is none, for development; in production it is deployed. Default false. */
  readonly createMissing?: boolean | undefined
  /** Requests at a time, and sockets kept open. Default 64. */
  readonly requestsMax?: number
  /** Partitions whose calls wait behind nobody else's, and have `urgentRequestsMax` requests of their own. */
  readonly urgentPartitions?: readonly string[] | undefined
  /** Calls that may wait for a request; more are refused as `away`. Default 1,000. */
  readonly waitingCallsMax?: number
  /** Bytes of values in commits under way or waiting. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** Of one request. Default 3,000. */
  readonly requestTimeoutMs?: number
  /** After which a call is not tried again. Default 10,000. */
  readonly retryMs?: number
  /** Between tries. Default 25 to 1,000. */
  readonly backoff?: BackoffOptions
}

const tableWaitMs = 60_000
/** A lease gives a renewal up and sends another, for as long as this table tries the first one: there is room for all of them. */
const urgentRequestsMax = 32
const connectTimeoutMs = 1_000

/** Rejects with `TableError`: `invalid` where no region is known, `away` where a missing table cannot be made. */
export async function openDynamoDbTable(options: DynamoDbTableOptions): Promise<Table> {
  const sdk = await import('@aws-sdk/client-dynamodb')
  const { region, endpoint, requestsMax = 64, requestTimeoutMs = 3_000 } = options
  const agent = { keepAlive: true, maxSockets: requestsMax + urgentRequestsMax }
  const client = new sdk.DynamoDBClient({
    // This table tries again by itself: it has to know of every try.
    maxAttempts: 1,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: connectTimeoutMs,
      socketTimeout: 2 * requestTimeoutMs,
    },
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  })
  try {
    await client.config.region()
  } catch (cause) {
    client.destroy()
    throw new TableError('invalid', 'DynamoDB needs a region: `?region=` in the address, or AWS_REGION', cause)
  }
  const table = new DynamoDbTable(sdk, client, options)
  try {
    if (options.createMissing) await table.create()
    return table
  } catch (cause) {
    await table.close()
    throw cause
  }
}

class DynamoDbTable implements Table {
  readonly #sdk: Sdk
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #requests: Budget
  readonly #urgentRequests: Budget
  readonly #urgentPartitions: ReadonlySet<string>
  readonly #requestTimeoutMs: number
  readonly #retrying: Omit<RetryOptions, 'mayPass' | 'signal'>
  readonly #pendingBytesMax: number
  readonly #closing = new AbortController()
  #pendingBytes = 0

  constructor(sdk: Sdk, client: DynamoDBClient, options: DynamoDbTableOptions) {
    this.#sdk = sdk
    this.#client = client
    this.#table = options.table
    const { clock, random, retryMs = 10_000, backoff = { firstMs: 25, maxMs: 1_000 } } = options
    this.#clock = clock
    this.#random = random
    this.#retrying = { clock, random, retryMs, backoff }
    const { requestsMax = 64, waitingCallsMax: waitingMax = 1_000, urgentPartitions = [] } = options
    this.#requests = new Budget({ units: requestsMax, waitingMax })
    this.#urgentRequests = new Budget({ units: urgentRequestsMax, waitingMax })
    this.#urgentPartitions = new Set(urgentPartitions)
    this.#pendingBytesMax = options.pendingBytesMax ?? 64 * 1024 * 1024
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 3_000
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key)
    const attributes = await this.#admitted(this.#budgetFor(key.partition), () => this.#getAttributes(key))
    return attributes && itemOf(attributes)
  }

  async query(partition: string, range?: Range): Promise<Item[]> {
    const wanted = sortRange(partition, range)
    if (wanted === undefined) return []
    const items: Item[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      const page = await this.#queryPage(partition, { range: wanted, itemsWanted: wanted.limit - items.length, next })
      for (const attributes of page.Items ?? []) {
        const item = itemOf(attributes)
        if (item.sort !== wanted.end && items.length < wanted.limit) items.push(item)
      }
      next = page.LastEvaluatedKey
    } while (next !== undefined && items.length < wanted.limit)
    return items
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    const encoded = encodeWrites(writes)
    const [first] = encoded
    if (first === undefined) return { committed: true }
    if (encoded.length === 1 && first.kind === 'check') return await this.#check(first)
    const token = this.#random.bytes(16).toString('base64url')
    const budget = this.#budgetFor(...encoded.map(({ key }) => key.partition))
    if (budget === this.#urgentRequests) return await this.#admitted(budget, () => this.#commit(encoded, token))
    const bytes = bytesOf(encoded)
    if (this.#pendingBytes + bytes > this.#pendingBytesMax) {
      throw new TableError('away', `commits of ${this.#pendingBytes} bytes are under way, no more are taken`)
    }
    this.#pendingBytes += bytes
    try {
      return await this.#admitted(budget, () => this.#commit(encoded, token))
    } finally {
      this.#pendingBytes -= bytes
    }
  }

  /** Lets what is under way come to an end, but tries nothing again. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await Promise.all([this.#requests.idle(), this.#urgentRequests.idle()])
    this.#client.destroy()
  }

  /** Makes the table unless it is there, and waits until it can be used. */
  async create(): Promise<void> {
    const input = {
      TableName: this.#table,
      KeySchema: [...keySchema],
      AttributeDefinitions: keySchema.map(({ AttributeName }) => ({ AttributeName, AttributeType: 'S' as const })),
      BillingMode: 'PAY_PER_REQUEST' as const,
    }
    await this.#read(async (abortSignal) => {
      try {
        await this.#client.send(new this.#sdk.CreateTableCommand(input), { abortSignal })
      } catch (cause) {
        if ((cause as Error).name !== 'ResourceInUseException') throw cause
      }
    })
    const deadline = this.#clock.monotonic() + tableWaitMs
    while (!(await this.#isActive())) {
      if (this.#clock.monotonic() > deadline) throw new TableError('away', `${this.#table} is not active after ${tableWaitMs} ms`)
      await sleep(this.#clock, this.#retrying.backoff.maxMs, this.#closing.signal)
    }
  }

  async #isActive(): Promise<boolean> {
    const command = new this.#sdk.DescribeTableCommand({ TableName: this.#table })
    const described = await this.#read((abortSignal) => this.#client.send(command, { abortSignal })).catch(
      (cause: TableError) => cause,
    )
    if (described instanceof TableError) {
      // A table that was just made is not seen everywhere at once.
      if ((described.cause as Error).name === 'ResourceNotFoundException') return false
      throw described
    }
    const { Table: made } = described
    const keys = JSON.stringify(made?.KeySchema?.map(({ AttributeName, KeyType }) => [AttributeName, KeyType]))
    const ours = JSON.stringify(keySchema.map(({ AttributeName, KeyType }) => [AttributeName, KeyType]))
    if (keys !== ours) throw new TableError('invalid', `${this.#table} is not a table of Longtail: its keys are ${keys}`)
    return made?.TableStatus === 'ACTIVE'
  }

  /** Waits for no share of its own: a commit that reads back has one. */
  async #getAttributes(key: Key) {
    const command = new this.#sdk.GetItemCommand({ TableName: this.#table, Key: keyAttributes(key), ConsistentRead: true })
    const { Item } = await this.#tryUntilDone(() => this.#request((abortSignal) => this.#client.send(command, { abortSignal })))
    return Item
  }

  #queryPage(partition: string, page: { range: SortRange; itemsWanted: number; next: QueryCommandInput['ExclusiveStartKey'] }) {
    const command = new this.#sdk.QueryCommand({
      TableName: this.#table,
      ConsistentRead: true,
      ...keyCondition(partition, page.range),
      ScanIndexForward: !page.range.reverse,
      ExclusiveStartKey: page.next,
      // One more where the first may be the end, which does not count.
      ...(page.itemsWanted === Infinity
        ? {}
        : { Limit: page.itemsWanted + (page.range.reverse && page.range.end !== undefined ? 1 : 0) }),
    })
    return this.#read((abortSignal) => this.#client.send(command, { abortSignal }), this.#budgetFor(partition))
  }

  async #check({ key, expect }: EncodedWrite & { readonly kind: 'check' }): Promise<CommitResult> {
    const attributes = await this.#admitted(this.#budgetFor(key.partition), () => this.#getAttributes(key))
    const holds = expect === 'absent' ? attributes === undefined : attributes !== undefined && versionOf(attributes) === expect
    return holds ? { committed: true } : { committed: false, conflicts: [key] }
  }

  async #commit(writes: readonly EncodedWrite[], token: string): Promise<CommitResult> {
    let mayBeWritten = false
    try {
      return await this.#tryUntilDone(async (): Promise<CommitResult> => {
        try {
          await this.#request((abortSignal) => this.#sendWrites(writes, { token, abortSignal }))
          return { committed: true }
        } catch (cause) {
          const verdict = judge(cause)
          if (verdict.kind === 'conflict') return resolveConflict(writes, { found: verdict.found, token, mayBeWritten })
          if (verdict.kind === 'retry') mayBeWritten ||= verdict.mayBeWritten
          throw cause
        }
      })
    } catch (cause) {
      if (!mayBeWritten) throw cause
      if (await this.#isWritten(writes, token)) return { committed: true }
      throw new TableError('unknown', 'no answer to a commit, which may have been written or be written yet', cause)
    }
  }

  async #sendWrites(
    writes: readonly EncodedWrite[],
    call: { readonly token: string; readonly abortSignal: AbortSignal },
  ): Promise<void> {
    const { token, abortSignal } = call
    const table = this.#table
    const put = versionedPut(writes)
    if (put) {
      const command = new this.#sdk.PutItemCommand({ TableName: table, ...conditionalPut(put, token) })
      await this.#client.send(command, { abortSignal })
    } else {
      const TransactItems = writes.map((write) => transactionEntry(write, { table, token }))
      const command = new this.#sdk.TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token })
      await this.#client.send(command, { abortSignal })
    }
  }

  /** All or nothing: one item with our token stands for all of them. */
  async #isWritten(writes: readonly EncodedWrite[], token: string): Promise<boolean> {
    const put = writes.find(({ kind }) => kind === 'put')
    if (put === undefined) return false
    try {
      const attributes = await this.#getAttributes(put.key)
      return attributes !== undefined && tokenOf(attributes) === token
    } catch {
      return false
    }
  }

  #read<T>(send: (abortSignal: AbortSignal) => Promise<T>, budget = this.#requests): Promise<T> {
    return this.#admitted(budget, () => this.#tryUntilDone(() => this.#request(send)))
  }

  #budgetFor(...partitions: readonly string[]): Budget {
    return partitions.every((partition) => this.#urgentPartitions.has(partition)) ? this.#urgentRequests : this.#requests
  }

  async #admitted<T>(budget: Budget, run: () => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) throw new TableError('away', 'the table is closed')
    try {
      return await budget.use({ units: 1 }, run)
    } catch (cause) {
      throw cause instanceof BudgetError ? new TableError('away', cause.message, cause) : cause
    }
  }

  #request<T>(send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    return withTimeout({ clock: this.#clock, timeoutMs: this.#requestTimeoutMs }, send)
  }

  /** Rejects with `TableError` only. */
  async #tryUntilDone<T>(run: () => Promise<T>): Promise<T> {
    const mayPass = (cause: unknown) => !(cause instanceof TableError) && judge(cause).kind === 'retry'
    try {
      return await retry({ ...this.#retrying, signal: this.#closing.signal, mayPass }, run)
    } catch (cause) {
      if (cause instanceof TableError) throw cause
      const { name, message } = cause as Error
      throw new TableError(judge(cause).kind === 'invalid' ? 'invalid' : 'away', `DynamoDB: ${name}: ${message}`, cause)
    }
  }
}

type VersionedPut = EncodedWrite & { readonly kind: 'put'; readonly expect: number | 'absent' }

function versionedPut(writes: readonly EncodedWrite[]): VersionedPut | undefined {
  const [first] = writes
  return writes.length === 1 && first?.kind === 'put' && first.expect !== 'any' ? (first as VersionedPut) : undefined
}

/** Throws `TableError` where our own write may have been carried out and then overwritten. */
function resolveConflict(
  writes: readonly EncodedWrite[],
  {
    found,
    token,
    mayBeWritten,
  }: { readonly found: readonly FoundItem[]; readonly token: string; readonly mayBeWritten: boolean },
): CommitResult {
  if (found.some(({ item }) => item !== undefined && tokenOf(item) === token)) return { committed: true }
  const put = versionedPut(writes)
  const foundVersion = found[0]?.item ? versionOf(found[0].item) : undefined
  if (mayBeWritten && put && foundVersion !== (put.expect === 'absent' ? 1 : put.expect + 1)) {
    throw new TableError('unknown', 'the answer to a write was lost, and others have written since')
  }
  return { committed: false, conflicts: writes.filter((_, index) => found[index]?.hasConflict).map(({ key }) => key) }
}
