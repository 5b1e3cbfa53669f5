import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { type DynamoDbTableOptions, openDynamoDbTable } from '../../broker/table/dynamodb-table.ts'
import { type Table, TableError, type Write } from '../../broker/table/table.ts'
import { type Fate, LossyProxy, type SeenRequest } from '../support/lossy-proxy.ts'

// What the table makes of answers, against a server whose answers are made up here. What DynamoDB itself does is
// in test/localstack.

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'test'

let server: LossyProxy
const tables: Table[] = []
before(async () => {
  server = await LossyProxy.open()
})
after(() => server.close())
afterEach(async () => {
  await Promise.all(tables.splice(0).map((table) => table.close()))
})

async function open(options: Partial<DynamoDbTableOptions> = {}): Promise<Table> {
  const table = await openDynamoDbTable({
    table: 'table',
    region: 'eu-central-1',
    endpoint: server.endpoint,
    clock: nodeClock,
    random: nodeRandom,
    backoff: { firstMs: 1, maxMs: 2 },
    ...options,
  })
  tables.push(table)
  return table
}

/** Answers one request after another with these; then there must be none. Returns what was sent. */
function script(...fates: readonly (Fate | ((body: Body) => Fate))[]): Body[] {
  const sent: Body[] = []
  server.decide = ({ body, headers }: SeenRequest) => {
    const parsed = { ...JSON.parse(body.toString()), operation: `${headers['x-amz-target']}`.split('.')[1] } as Body
    const fate = fates[sent.length]
    sent.push(parsed)
    assert.ok(fate !== undefined, `request ${sent.length} was not expected: ${body}`)
    return typeof fate === 'function' ? fate(parsed) : fate
  }
  return sent
}

interface Body {
  readonly operation: string
  readonly Item: Record<string, { S?: string; N?: string }>
  readonly ClientRequestToken: string
  readonly [name: string]: unknown
}

const type = { 'content-type': 'application/x-amz-json-1.0' }
const ok = (body: unknown = {}): Fate => ({ status: 200, headers: type, body: JSON.stringify(body) })
const failing = (name: string, { status = 400, ...fields }: { status?: number; [name: string]: unknown } = {}): Fate => {
  return {
    status,
    headers: type,
    body: JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: name, ...fields }),
  }
}
const item = (version: number, token: string) => ({
  p: { S: 'p' },
  s: { S: 's' },
  v: { N: `${version}` },
  d: { S: '1' },
  t: { S: token },
})
const cancelled = (...reasons: readonly object[]): Fate =>
  failing('TransactionCanceledException', { CancellationReasons: reasons })

const key = { partition: 'p', sort: 's' }
const other = { partition: 'p', sort: 'other' }
const put: Write[] = [{ kind: 'put', key, value: 1, expect: 3 }]
const create: Write[] = [{ kind: 'put', key, value: 1, expect: 'absent' }]
const pair: Write[] = [...put, { kind: 'check', key: other, expect: 'absent' }]
const committed = { committed: true }
const conflict = (...conflicts: readonly object[]) => ({ committed: false, conflicts })
const isError = (code: TableError['code']) => (error: unknown) => error instanceof TableError && error.code === code

describe('what is sent', () => {
  it('a put under a version is a PutItem, everything else a transaction with the token of its commit', async () => {
    const table = await open()
    const rows: readonly [Write[], string][] = [
      [put, 'PutItem'],
      [create, 'PutItem'],
      [pair, 'TransactWriteItems'],
      [[{ kind: 'put', key, value: 1, expect: 'any' }], 'TransactWriteItems'],
      [[{ kind: 'delete', key, expect: 3 }], 'TransactWriteItems'],
    ]
    for (const [writes, operation] of rows) {
      const sent = script(ok())
      assert.deepEqual(await table.commit(writes), committed)
      assert.deepEqual(
        sent.map((body) => body.operation),
        [operation],
      )
    }
  })

  it('reads are strongly consistent', async () => {
    const table = await open()
    const sent = script(ok(), ok({ Items: [] }), ok())
    await table.get(key)
    await table.query('p', { prefix: 'a' })
    await table.commit([{ kind: 'check', key, expect: 'absent' }])
    assert.deepEqual(
      sent.map((body) => body['ConsistentRead']),
      [true, true, true],
    )
  })

  it('a query follows pages until there are no more, or until it has what it wants', async () => {
    const table = await open()
    const page = (sort: string, isLast = false): Fate => {
      return ok({
        Items: [{ ...item(1, 't'), s: { S: sort } }],
        ...(isLast ? {} : { LastEvaluatedKey: { p: { S: 'p' }, s: { S: sort } } }),
      })
    }
    const all = script(page('a'), ok({ Items: [], LastEvaluatedKey: { p: { S: 'p' }, s: { S: 'b' } } }), page('c', true))
    assert.deepEqual(
      (await table.query('p')).map(({ sort }) => sort),
      ['a', 'c'],
    )
    assert.deepEqual(
      all.map((body) => body['ExclusiveStartKey']),
      [undefined, { p: { S: 'p' }, s: { S: 'a' } }, { p: { S: 'p' }, s: { S: 'b' } }],
    )
    script(page('a'), page('b'))
    assert.equal((await table.query('p', { limit: 2 })).length, 2)
  })
})

describe('conflicts', () => {
  it("a condition that fails on another's item is a conflict, and is not sent again", async () => {
    const table = await open()
    script(failing('ConditionalCheckFailedException', { Item: item(4, 'theirs') }))
    assert.deepEqual(await table.commit(put), conflict(key))
    script(failing('ConditionalCheckFailedException'))
    assert.deepEqual(await table.commit(put), conflict(key))
  })

  it('a cancelled transaction names the writes whose condition failed', async () => {
    const table = await open()
    script(cancelled({ Code: 'None' }, { Code: 'ConditionalCheckFailed', Item: item(1, 'theirs') }))
    assert.deepEqual(await table.commit(pair), conflict(other))
    script(cancelled({ Code: 'ConditionalCheckFailed' }, { Code: 'TransactionConflict' }))
    assert.deepEqual(await table.commit(pair), conflict(key))
  })
})

describe('an answer that was lost', () => {
  const mine = (version: number) => (body: Body) => {
    return failing('ConditionalCheckFailedException', { Item: item(version, `${body.Item['t']?.S}`) })
  }
  const theirs = (version: number) => failing('ConditionalCheckFailedException', { Item: item(version, 'theirs') })

  it('a put finds its own token in the item that is in its way, and has committed', async () => {
    const table = await open()
    for (const lost of [
      'lose request',
      failing('InternalServerError', { status: 500 }),
      failing('ServiceUnavailable', { status: 503 }),
    ] as const) {
      const sent = script(lost, mine(4))
      assert.deepEqual(await table.commit(put), committed)
      assert.deepEqual(sent[0], sent[1])
    }
  })

  it("a put that finds another's token at the version it would have written came second", async () => {
    const table = await open()
    script('lose request', theirs(4))
    assert.deepEqual(await table.commit(put), conflict(key))
    script('lose request', theirs(1))
    assert.deepEqual(await table.commit(create), conflict(key))
  })

  it("a put that finds another's token at a later version, or nothing, cannot know", async () => {
    const table = await open()
    for (const found of [theirs(5), failing('ConditionalCheckFailedException')]) {
      script('lose request', found, ok())
      await assert.rejects(table.commit(put), isError('unknown'))
    }
    script('lose request', theirs(2), ok())
    await assert.rejects(table.commit(create), isError('unknown'))
  })

  it('a transaction is sent again with the same token, which DynamoDB answers as it did before', async () => {
    const table = await open()
    const sent = script('lose request', failing('TransactionInProgressException'), ok())
    assert.deepEqual(await table.commit(pair), committed)
    assert.equal(new Set(sent.map((body) => body.ClientRequestToken)).size, 1)
    assert.deepEqual(sent[0], sent[2])
  })

  it('a transaction that finds its own token in an item has committed', async () => {
    const table = await open()
    const found = (body: Body) =>
      cancelled({ Code: 'ConditionalCheckFailed', Item: item(4, body.ClientRequestToken) }, { Code: 'None' })
    script('lose request', found)
    assert.deepEqual(await table.commit(pair), committed)
  })

  it('two commits have different tokens', async () => {
    const table = await open()
    const sent = script(ok(), ok())
    await table.commit(put)
    await table.commit(put)
    assert.notDeepEqual(sent[0]!.Item['t'], sent[1]!.Item['t'])
  })

  for (const [name, writes] of [
    ['a put', put],
    ['a transaction', pair],
  ] as const) {
    it(`${name} whose tries all fail reads back: with its own token it has committed`, async () => {
      const table = await open({ retryMs: 0 })
      let token = ''
      const lose = (body: Body): Fate => {
        token = body.Item?.['t']?.S ?? body.ClientRequestToken
        return 'lose request'
      }
      script(lose, () => ok({ Item: item(4, token) }))
      assert.deepEqual(await table.commit(writes), committed)
    })

    it(`${name} whose tries all fail reads back: without its token the outcome is unknown`, async () => {
      const table = await open({ retryMs: 0 })
      for (const read of [ok({ Item: item(4, 'theirs') }), ok(), 'lose request' as const]) {
        script('lose request', read)
        await assert.rejects(table.commit(writes), isError('unknown'))
      }
    })
  }
})

describe('a server in trouble', () => {
  it('throttling and conflicts between transactions are tried again, and nothing was written meanwhile', async () => {
    const table = await open()
    const troubles = [
      failing('ProvisionedThroughputExceededException'),
      failing('ThrottlingException'),
      failing('RequestLimitExceeded'),
      failing('TransactionConflictException'),
    ]
    script(...troubles, ok())
    assert.deepEqual(await table.commit(put), committed)
    script(
      cancelled({ Code: 'TransactionConflict' }, { Code: 'None' }),
      cancelled({ Code: 'None' }, { Code: 'ThrottlingError' }),
      ok(),
    )
    assert.deepEqual(await table.commit(pair), committed)
    const always = await open({ retryMs: 0 })
    for (const trouble of troubles) {
      script(trouble)
      await assert.rejects(always.commit(put), isError('away'))
    }
    for (const Code of ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']) {
      script(cancelled({ Code: 'None' }, { Code }))
      await assert.rejects(always.commit(pair), isError('away'))
    }
  })

  it('a read is tried again until it is answered', async () => {
    const table = await open()
    script(
      'lose request',
      failing('InternalServerError', { status: 500 }),
      failing('ThrottlingException'),
      ok({ Item: item(7, 't') }),
    )
    assert.deepEqual(await table.get(key), { ...key, version: 7, value: 1 })
  })

  it('a server that does not answer in time is given up, and its connection is not kept', async () => {
    const table = await open({ requestTimeoutMs: 30, retryMs: 0 })
    server.decide = () => 'stall'
    await assert.rejects(table.get(key), isError('away'))
    await assert.rejects(table.commit(put), isError('unknown'))
    while ((await server.connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('where nobody listens nothing was written', async () => {
    const gone = await LossyProxy.open()
    await gone.close()
    const endpoint = 'http://127.0.0.1:9'
    const table = await open({ endpoint, retryMs: 20 })
    await assert.rejects(table.commit(put), isError('away'))
    await assert.rejects(table.get(key), isError('away'))
  })

  it('what would never work is not tried again', async () => {
    const table = await open()
    script(failing('ValidationException'))
    await assert.rejects(table.commit(put), isError('invalid'))
    for (const name of ['ResourceNotFoundException', 'AccessDeniedException', 'UnrecognizedClientException']) {
      script(failing(name))
      await assert.rejects(table.commit(put), (error) => isError('away')(error) && (error as Error).message.includes(name))
    }
  })

  it('more calls than may wait are refused as away', async () => {
    const table = await open({ requestsMax: 1, waitingCallsMax: 2 })
    server.decide = () => ok()
    const calls = Array.from({ length: 5 }, () => table.get(key))
    const outcomes = await Promise.allSettled(calls)
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
    )
    await assert.rejects(calls[4]!, isError('away'))
  })

  it('leases do not wait behind other calls, of which there may be more than enough', async () => {
    const full = { requestsMax: 1, waitingCallsMax: 1, pendingBytesMax: 1, requestTimeoutMs: 300, retryMs: 0 }
    const table = await open({ ...full, urgentPartitions: ['sessions'] })
    server.decide = ({ body }) => (body.includes('"sessions"') ? ok({ Items: [] }) : 'stall')
    const others = [table.get(key), table.get(key)]
    await assert.rejects(table.get(key), isError('away'))
    const own = { partition: 'sessions', sort: '1' }
    await table.get(own)
    await table.query('sessions')
    assert.deepEqual(await table.commit([{ kind: 'put', key: own, value: 1, expect: 3 }]), committed)
    // What is written together with something else comes behind it.
    await assert.rejects(table.commit([...put, { kind: 'check', key: own, expect: 3 }]), isError('away'))
    const outcomes = await Promise.allSettled(others)
    assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'rejected'])
  })

  it('more bytes in commits than may be under way are refused as away', async () => {
    const table = await open({ pendingBytesMax: 1000 })
    server.decide = () => ok()
    const big: Write[] = [{ kind: 'put', key, value: 'x'.repeat(600), expect: 1 }]
    const first = table.commit(big)
    await assert.rejects(table.commit(big), isError('away'))
    assert.deepEqual(await first, committed)
    assert.deepEqual(await table.commit(big), committed)
  })

  it('closing lets what is under way end, and refuses what comes later', async () => {
    const table = await open()
    server.decide = () => ok()
    const commits = Array.from({ length: 100 }, () => table.commit(put))
    const closed = table.close()
    await assert.rejects(table.get(key), isError('away'))
    await closed
    for (const commit of commits) assert.deepEqual(await commit, committed)
  })
})

describe('the table itself', () => {
  const describeAs = (status: string, keys = ['p', 's']) =>
    ok({
      Table: {
        TableStatus: status,
        KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
      },
    })

  it('is made where it is missing, and waited for', async () => {
    const sent = script(ok(), failing('ResourceNotFoundException'), describeAs('CREATING'), describeAs('ACTIVE'))
    await open({ createMissing: true })
    assert.deepEqual(
      sent.map((body) => body.operation),
      ['CreateTable', 'DescribeTable', 'DescribeTable', 'DescribeTable'],
    )
  })

  it('is taken as it is where it is there', async () => {
    script(failing('ResourceInUseException'), describeAs('ACTIVE'))
    await open({ createMissing: true })
  })

  it('is refused as invalid where its keys are not ours', async () => {
    script(failing('ResourceInUseException'), describeAs('ACTIVE', ['id']))
    await assert.rejects(open({ createMissing: true }), isError('invalid'))
  })
})
