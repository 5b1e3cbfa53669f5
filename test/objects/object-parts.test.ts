import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { objectParts } from '../../broker/objects/object-parts.ts'

it('chunks of any size come back as parts of one size, of which only the last is shorter', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 20 })), fc.integer({ min: 1, max: 25 }), async (chunks, partBytes) => {
      const source = async function* () {
        yield* chunks
      }
      const parts: Buffer[] = []
      for await (const part of objectParts(source(), partBytes)) parts.push(part)
      assert.deepEqual(Buffer.concat(parts), Buffer.concat(chunks))
      assert.ok(parts.slice(0, -1).every((part) => part.length === partBytes))
      assert.ok(parts.every((part) => part.length > 0 && part.length <= partBytes))
    }),
  )
})
