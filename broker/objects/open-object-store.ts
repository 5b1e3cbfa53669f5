import { resolve } from 'node:path'
import type { Clock } from '../runtime/clock.ts'
import type { Disk } from '../runtime/disk.ts'
import type { Random } from '../runtime/random.ts'
import { parseServiceAddress } from '../runtime/service-address.ts'
import type { AdmissionOptions } from './admission.ts'
import { openFolderStore } from './folder-store.ts'
import { checkObjectKey, prefixBytesMax } from './object-key.ts'
import { type ObjectStore, ObjectStoreError } from './object-store.ts'
import { openS3Store } from './s3-store.ts'

export interface OpenObjectStoreOptions extends AdmissionOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** Makes an S3 bucket where there is none, for development. A folder is always made. Default false. */
  readonly createMissing?: boolean
}

export type ObjectStoreAddress =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 's3'
      readonly bucket: string
      readonly prefix: string
      readonly endpoint?: string
      readonly region?: string
    }

export const objectStoreAddressForms = 'file:PATH or s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION]'

/** Throws `ObjectStoreError` with code `refused`, whose message names what is allowed. */
export function parseObjectStoreAddress(text: string): ObjectStoreAddress {
  const [, path] = /^file:(.+)$/.exec(text) ?? []
  if (path !== undefined) return { kind: 'folder', path: resolve(path) }
  const [, rest] = /^s3:\/\/(.+)$/.exec(text) ?? []
  if (rest === undefined) throw refused(text, `it must be ${objectStoreAddressForms}`)
  const { name, ...where } = parsed(text, rest)
  const [, bucket = '', slashed = ''] = /^([^/]*)(?:\/(.*))?$/.exec(name) ?? []
  const prefix = slashed.replace(/\/$/, '')
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw refused(text, 'a bucket has a name of 3 to 63 lower-case letters, digits, dots and dashes')
  }
  if (prefix !== '') checkPrefix(text, prefix)
  return { kind: 's3', bucket, prefix, ...where }
}

/** Opens the object store at an address. Rejects with `ObjectStoreError`. */
export async function openObjectStore(address: string, options: OpenObjectStoreOptions): Promise<ObjectStore> {
  const parsedAddress = parseObjectStoreAddress(address)
  if (parsedAddress.kind === 'folder') return await openFolderStore({ ...options, path: parsedAddress.path })
  const { bucket, prefix, endpoint, region } = parsedAddress
  return await openS3Store({ ...options, bucket, prefix, endpoint, region })
}

function checkPrefix(text: string, prefix: string): void {
  try {
    checkObjectKey(prefix)
  } catch (cause) {
    throw refused(text, (cause as Error).message)
  }
  if (prefix.length > prefixBytesMax) throw refused(text, `the prefix is longer than ${prefixBytesMax} bytes`)
}

function parsed(text: string, rest: string) {
  try {
    return parseServiceAddress(rest)
  } catch (cause) {
    throw refused(text, (cause as Error).message)
  }
}

function refused(text: string, problem: string): ObjectStoreError {
  return new ObjectStoreError('refused', `the object store's address ${JSON.stringify(text)} is wrong: ${problem}`)
}
