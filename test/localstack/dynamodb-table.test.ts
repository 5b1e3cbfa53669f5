import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { type DynamoDbTableOptions, openDynamoDbTable } from '../../broker/table/dynamodb-table.ts'
import type { Table, Write } from '../../broker/table/table.ts'
import { tableCases } from '../cases/table.cases.ts'
import { type Fate, LossyProxy, type SeenRequest } from '../support/lossy-proxy.ts'
import { localstackUrl, region } from './localstack.ts'

const url = localstackUrl()
const name = `longtail-${randomUUID()}`

const open = (endpoint: string, options: Partial<DynamoDbTableOptions> = {}) =>
  openDynamoDbTable({ table: name, region, endpoint, clock: nodeClock, random: nodeRandom, createMissing: true, ...options })

tableCases('DynamoDB', () => open(url))

describe('answers that DynamoDB gave and nobody received', () => {
  let proxy: LossyProxy
  let table: Table
  before(async () => {
    proxy = await LossyProxy.open(url)
    table = await open(proxy.endpoint, { backoff: { firstMs: 1, maxMs: 5 } })
  })
  after(async () => {
    await table.close()
    await proxy.close()
  })

  const key = () => ({ partition: 'lost', sort: randomUUID() })
  const committed = { committed: true }

  /** The next writes meet these fates; reads and what comes after get through. Returns how many writes were sent. */
  function nextWrites(...fates: readonly Fate[]): () => number {
    let writes = 0
    proxy.decide = ({ headers }: SeenRequest) => {
      if (!/PutItem|TransactWriteItems/.test(`${headers['x-amz-target']}`)) return 'forward'
      return fates[writes++] ?? 'forward'
    }
    return () => writes
  }

  for (const fate of ['lose answer', 'cut answer', 'lose request'] as const) {
    it(`a put commits once although the network does: ${fate}`, async () => {
      const at = key()
      nextWrites()
      await table.commit([{ kind: 'put', key: at, value: 'before', expect: 'absent' }])
      const sent = nextWrites(fate)
      assert.deepEqual(await table.commit([{ kind: 'put', key: at, value: 'mine', expect: 1 }]), committed)
      assert.equal(sent(), 2)
      assert.deepEqual(await table.get(at), { ...at, version: 2, value: 'mine' })
    })

    it(`a put that wants no item before it commits once although the network does: ${fate}`, async () => {
      const at = key()
      nextWrites(fate, fate, fate)
      assert.deepEqual(await table.commit([{ kind: 'put', key: at, value: 'mine', expect: 'absent' }]), committed)
      assert.equal((await table.get(at))?.version, 1)
    })

    it(`a put over any version, a delete and a transaction commit once although the network does: ${fate}`, async () => {
      const [left, right] = [key(), key()]
      const commits: readonly (readonly Write[])[] = [
        [{ kind: 'put', key: left, value: 'left', expect: 'any' }],
        [
          { kind: 'put', key: right, value: 'right', expect: 'absent' },
          { kind: 'check', key: left, expect: 1 },
        ],
        [{ kind: 'delete', key: left, expect: 1 }],
      ]
      for (const writes of commits) {
        const sent = nextWrites(fate)
        assert.deepEqual(await table.commit(writes), committed)
        assert.equal(sent(), 2)
      }
      assert.equal(await table.get(left), undefined)
      assert.equal((await table.get(right))?.version, 1)
    })
  }

  it('a put whose answer was lost and that another overwrote since is not told that it came second', async () => {
    const at = key()
    const direct = await open(url)
    await direct.commit([{ kind: 'put', key: at, value: 'before', expect: 'absent' }])
    let writes = 0
    proxy.decide = ({ headers }) => (`${headers['x-amz-target']}`.endsWith('PutItem') && writes++ === 0 ? 'stall' : 'forward')
    const slow = await open(proxy.endpoint, { requestTimeoutMs: 500, backoff: { firstMs: 1, maxMs: 1 } })
    const commit = slow.commit([{ kind: 'put', key: at, value: 'mine', expect: 1 }])
    // Once ours is there, another writer builds on it before we try again.
    while ((await direct.get(at))?.version !== 2) await new Promise((resolve) => setTimeout(resolve, 10))
    await direct.commit([{ kind: 'put', key: at, value: 'theirs', expect: 2 }])
    await assert.rejects(commit, { name: 'TableError', code: 'unknown' })
    await Promise.all([slow.close(), direct.close()])
  })

  it('a put that another preceded, and whose first request was lost, is told that it came second', async () => {
    const at = key()
    const direct = await open(url)
    await direct.commit([{ kind: 'put', key: at, value: 'theirs', expect: 'absent' }])
    nextWrites('lose request')
    assert.deepEqual(await table.commit([{ kind: 'put', key: at, value: 'mine', expect: 'absent' }]), {
      committed: false,
      conflicts: [at],
    })
    await direct.close()
  })

  it('twenty writers raise a counter over a network that loses every third answer, and no step is lost or doubled', async () => {
    const at = key()
    nextWrites()
    await table.commit([{ kind: 'put', key: at, value: 0, expect: 'absent' }])
    proxy.decide = ({ index }) => (index % 3 === 0 ? 'lose answer' : 'forward')
    const raise = async () => {
      for (;;) {
        const item = (await table.get(at))!
        const write: Write = { kind: 'put', key: at, value: (item.value as number) + 1, expect: item.version }
        // What is unknown is looked at again by whoever needs to know; this counter only counts what is certain.
        const result = await table
          .commit([write])
          .catch((error: { code: string }) => ({ committed: false, unknown: error.code === 'unknown' }))
        if (result.committed) return 'committed'
        if ('unknown' in result) return 'unknown'
      }
    }
    const outcomes = await Promise.all(Array.from({ length: 20 }, raise))
    const certain = outcomes.filter((outcome) => outcome === 'committed').length
    const item = (await table.get(at))!
    assert.equal(item.version, (item.value as number) + 1)
    assert.ok(
      certain <= (item.value as number) && (item.value as number) <= outcomes.length,
      `${certain} certain, ${item.value} counted`,
    )
  })
})
