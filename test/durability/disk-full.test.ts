import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode } from '../../broker/protocol/error-code.ts'
import { BrokerProcess } from '../support/broker-process.ts'
import { fetchOnce } from '../support/topic-reader.ts'
import { WireClient } from '../support/wire-client.ts'
import { assertKept, CrashLoad } from './crash-load.ts'

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })

describe('a disk that is full', () => {
  test('refuses what it cannot keep, serves what it has, and goes on by itself when there is room again', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('needs root, to mount a small file system')
    const mount = mkdtempSync(join(tmpdir(), 'longtail-full-'))
    run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount)
    let broker: BrokerProcess | undefined
    let load: CrashLoad | undefined
    try {
      const filler = join(mount, 'filler')
      broker = await BrokerProcess.start({ data: join(mount, 'data') })
      load = await CrashLoad.start({ bootstrap: broker.bootstrap, partitions: 2, fillerBytes: 2000 })
      await load.progress()
      const { bavail, bsize } = statfsSync(mount)
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - (2 << 20))))
      await refusals(load)
      const client = await WireClient.connect(broker.bootstrap)
      const { errorCode, records } = await fetchOnce(client, { topicId: load.topicId, partition: 0, offset: 0 })
      client.close()
      assert.equal(errorCode, ErrorCode.NONE, 'what is there can be read while the disk is full')
      assert.ok(records.length > 0)

      rmSync(filler)
      await load.progress()
      await broker.stop('SIGKILL')
      await broker.start()
      await load.progress()
      const history = await load.finish()
      for (const [index, { errors }] of load.producers.entries()) {
        assert.ok(errors.has(ErrorCode.KAFKA_STORAGE_ERROR), `producer ${index} is told that its batch could not be kept`)
        // What an idempotent producer has in flight behind a refused batch would leave a hole (KIP-98).
        const isIdempotent = index % 2 === 0
        const due: number[] = [ErrorCode.KAFKA_STORAGE_ERROR, ...(isIdempotent ? [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER] : [])]
        for (const code of errors.keys()) assert.ok(due.includes(code), `producer ${index}: error ${code}`)
      }
      context.diagnostic(`${load.acknowledged} batches acknowledged, ${load.interrupted} refused or interrupted`)
      assertKept(history)
    } finally {
      load?.abort()
      await broker?.stop('SIGKILL')
      run('umount', '-l', mount)
      rmSync(mount, { recursive: true, force: true })
    }
  })
})

/** Waits until every partition has refused something. */
async function refusals(load: CrashLoad): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await sleep(50)) {
    if (load.producers.every(({ errors }) => errors.size > 0)) return
  }
  const seen = load.producers.map(({ errors }) => JSON.stringify([...errors]))
  assert.fail(`not every producer was refused: ${seen.join(' ')}`)
}
