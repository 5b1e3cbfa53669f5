// What an error of S3 means to a call. The names are those of the API reference; S3 puts them into the body, the SDK
// into `name`. Answers to HEAD have no body, so their status has to do.

export type S3Verdict =
  /** The key has an object already (`If-None-Match: *`). */
  | 'taken'
  /** Another write to the key is under way: look, then try again from the start. */
  | 'contested'
  | 'missing'
  /** The upload in parts was completed or aborted: by us, where an answer was lost. */
  | 'upload gone'
  /** A range that starts where the object has ended. */
  | 'past the end'
  /** Content and checksum disagree. */
  | 'damaged'
  /** Throttled, unreachable, or no answer: may pass. */
  | 'away'
  /** No bucket, no permission, a wrong request: would fail again. */
  | 'refused'

const verdicts: ReadonlyMap<string, S3Verdict> = new Map([
  ['PreconditionFailed', 'taken'],
  ['ConditionalRequestConflict', 'contested'],
  ['OperationAborted', 'contested'],
  ['NoSuchKey', 'missing'],
  ['NotFound', 'missing'],
  ['NoSuchUpload', 'upload gone'],
  ['InvalidRange', 'past the end'],
  ['BadDigest', 'damaged'],
  ['XAmzContentChecksumMismatch', 'damaged'],
  ['RequestTimeout', 'away'],
  ['SlowDown', 'away'],
  ['InternalError', 'away'],
  ['ServiceUnavailable', 'away'],
  ['AccessDenied', 'refused'],
  ['CredentialsProviderError', 'refused'],
])

const statuses: ReadonlyMap<number, S3Verdict> = new Map([
  [404, 'missing'],
  [408, 'away'],
  [409, 'contested'],
  [412, 'taken'],
  [416, 'past the end'],
  [429, 'away'],
])

export function judgeS3(error: unknown): S3Verdict {
  const { name = '', $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode ?? 0
  const named = verdicts.get(name)
  if (named) return named
  // The SDK calls an error `Unknown` or after its status where the body names none. `NoSuchBucket` is a 404 too, and
  // must not pass for an object that is not there.
  const isNamed = name !== '' && !/^(Unknown|UnknownError|Error|S3ServiceException|\d+)$/.test(name)
  // A redirect is a bucket in another region.
  if (status >= 300 && status < 500) return (isNamed && status === 404 ? undefined : statuses.get(status)) ?? 'refused'
  return 'away'
}
