import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteStream } from '../../broker/runtime/network.ts'
import { nodeNetwork } from '../../broker/runtime/node-network.ts'

const quiet = { data() {}, drained() {}, closed() {} }

test('a listener is closed when every stream that it accepted is, and not before', async () => {
  const accepted: ByteStream[] = []
  const all = Promise.withResolvers<void>()
  const listener = await nodeNetwork.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
    stream.start(quiet)
    if (accepted.push(stream) === 3) all.resolve()
  })
  const address = { host: '127.0.0.1', port: listener.port }
  const dialled = await Promise.all([1, 2, 3].map(() => nodeNetwork.connect(address, 2000)))
  for (const stream of dialled) stream.start(quiet)
  await all.promise
  let isClosed = false
  const closing = listener.close().then(() => (isClosed = true))
  await assert.rejects(nodeNetwork.connect(address, 2000), { code: 'ECONNREFUSED' })
  // One ends by its own side, one by the other side, one in order.
  accepted[0]!.destroy()
  dialled.find(({ remotePort }) => remotePort === listener.port)!.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(isClosed, false)
  for (const stream of accepted) stream.end()
  for (const stream of dialled) stream.end()
  await closing
})

test('a listener that accepted nothing is closed at once', async () => {
  const listener = await nodeNetwork.listen({ host: '127.0.0.1', port: 0 }, () => {})
  await listener.close()
})
