import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { nodeClock } from '../../broker/runtime/node-clock.ts'
import { nodeRandom } from '../../broker/runtime/node-random.ts'
import { openTable, parseTableAddress } from '../../broker/table/open-table.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

describe('the address of a table', () => {
  const right = [
    ['sqlite:/var/lib/table.db', { kind: 'sqlite', path: '/var/lib/table.db' }],
    ['sqlite:relative/ta?ble.db', { kind: 'sqlite', path: 'relative/ta?ble.db' }],
    ['dynamodb:longtail', { kind: 'dynamodb', table: 'longtail' }],
    [
      'dynamodb:longtail?endpoint=http://127.0.0.1:4566&region=eu-central-1',
      { kind: 'dynamodb', table: 'longtail', endpoint: 'http://127.0.0.1:4566', region: 'eu-central-1' },
    ],
  ] as const
  for (const [text, address] of right) {
    it(`${text} is understood`, () => assert.deepEqual(parseTableAddress(text), address))
  }

  const wrong: readonly [string, RegExp][] = [
    ['', /sqlite:PATH or dynamodb:NAME/],
    ['table.db', /sqlite:PATH or dynamodb:NAME/],
    ['sqlite:', /sqlite:PATH or dynamodb:NAME/],
    ['postgres:table', /sqlite:PATH or dynamodb:NAME/],
    ['dynamodb:a', /3 to 255/],
    ['dynamodb:a b c', /3 to 255/],
    ['dynamodb:longtail?regoin=eu', /only endpoint and region can follow the \?, not regoin/],
    ['dynamodb:longtail?endpoint=localhost:4566', /must be a URL such as/],
    ['dynamodb:longtail?region=EU Central', /must be one such as/],
    ['dynamodb:longtail?region=a?region=b', /more than one \?/],
  ]
  for (const [text, problem] of wrong) {
    it(`${JSON.stringify(text)} is refused, and the error says what is allowed`, () => {
      assert.throws(
        () => parseTableAddress(text),
        (error: Error & { code?: string }) => {
          return (
            error.name === 'TableError' &&
            error.code === 'invalid' &&
            problem.test(error.message) &&
            error.message.includes(JSON.stringify(text))
          )
        },
      )
    })
  }

  it('opens a SQLite file, which is made', async () => {
    const path = join(temporaryDirectory(), 'table.db')
    const table = await openTable(`sqlite:${path}`, { clock: nodeClock, random: nodeRandom })
    assert.deepEqual(await table.query('p'), [])
    await table.close()
    assert.ok(readFileSync(path).subarray(0, 15).equals(Buffer.from('SQLite format 3')))
  })
})

describe('the AWS SDK', () => {
  it('is known to two files, and loaded only when one of them is opened: a laptop start does not pay for it', () => {
    const root = new URL('../../broker/', import.meta.url).pathname
    const importers = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
      .filter(({ text }) => text.includes("'@aws-sdk/") || text.includes("'@smithy/"))
    assert.deepEqual(importers.map(({ name }) => name).sort(), ['objects/s3-store.ts', 'table/dynamodb-table.ts'])
    for (const { name, text } of importers) assert.doesNotMatch(text, /^import (?!type )[^\n]*'@(?:aws-sdk|smithy)\//m, name)
  })
})
