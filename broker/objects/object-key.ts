import { ObjectStoreError } from './object-store.ts'

/** S3 allows 1,024 bytes, of which a store's own prefix takes some. */
export const keyBytesMax = 900
export const prefixBytesMax = 100
/** What file systems allow for a name. */
const segmentBytesMax = 255
export const listedObjectsMax = 1000
export const deletedKeysMax = 1000

/** No character that a shell, a URL, XML or any file system treats specially; a leading dot is the folder store's. */
const segment = /^[A-Za-z0-9_=+@,!()~-][A-Za-z0-9._=+@,!()~-]*$/

/** Throws `ObjectStoreError` with code `refused` unless `key` is fit for every store. */
export function checkObjectKey(key: string): void {
  if (key.length > keyBytesMax) {
    throw new ObjectStoreError('refused', `a key of ${key.length} bytes, at most ${keyBytesMax} are allowed`)
  }
  const isFit = key.split('/').every((part) => part.length <= segmentBytesMax && segment.test(part))
  if (!isFit) throw new ObjectStoreError('refused', `not a key for an object: ${JSON.stringify(key)}`)
}

export function checkObjectKeys(keys: readonly string[]): void {
  if (keys.length > deletedKeysMax) {
    throw new ObjectStoreError('refused', `${keys.length} keys, at most ${deletedKeysMax} are allowed`)
  }
  for (const key of keys) checkObjectKey(key)
}

export function checkByteRange({ start, end }: { readonly start: number; readonly end: number }): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end) return
  throw new ObjectStoreError('refused', `not a range of bytes: [${start}, ${end})`)
}

/** How many objects a `list` returns at most. */
export function listLimit(limit = listedObjectsMax): number {
  if (Number.isSafeInteger(limit) && limit >= 0) return Math.min(limit, listedObjectsMax)
  throw new ObjectStoreError('refused', `not a number of objects: ${limit}`)
}
