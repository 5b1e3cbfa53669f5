// `npm run docs` writes docs/protocol.md from the declarations; with `--check` it only says whether the file is stale.

import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { apis } from '../broker/protocol/apis.ts'
import type { Api } from '../broker/protocol/schema.ts'

const root = new URL('../', import.meta.url)
export const protocolDocument = new URL('docs/protocol.md', root)

const introduction = `# The protocol

Longtail speaks Kafka's protocol. This page is made by \`npm run docs\` from the declarations in
\`broker/protocol/messages/\`, and a test fails where it is stale; \`test/interop/schema.test.ts\` holds every field of
every version against the schemas that Kafka 4.3.1 ships, and \`test/interop/java-codec/\` has Kafka's own classes read
and write what we do. What a running broker serves it says itself, in ApiVersions.

"Flexible since" is the first version with compact lengths and tagged fields (KIP-482), for request and response alike.

| API | key | versions | flexible since | |
|---|---|---|---|---|
`

const rest = `
Not there yet: transactions (AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit, WriteTxnMarkers), SASL, ACLs,
quotas, delegation tokens, share and streams groups. Clients find that out from ApiVersions.

Not there for good: DescribeQuorum, AddRaftVoter, RemoveRaftVoter and UpdateRaftVoter. The metadata is a log in a table
([architecture](architecture.md)), and no quorum of brokers keeps it: there are no voters, and no lag of theirs, to tell of.
\`kafka-metadata-quorum.sh\` and \`Admin.describeMetadataQuorum\` end with UnsupportedVersionException, which is the truth; an
answer that names one broker as the only voter would look like a cluster that stops when this broker does.

What the codecs do everywhere:

- An int64 beyond 2^53 is refused as malformed, but for the two widest, which some fields use for "none"
  ([ADR 1](adr/0001-int64-as-number.md)).
- A frame that is shorter than its message, announces more elements than it has room for, or has null where
  that is not allowed closes the connection, as Kafka does.
- Unknown tagged fields are passed over at every level.
- Compressed batches are stored and sent as they came: gzip, snappy, lz4 and zstd. Batches of magic 0 and 1 are refused.
`

export function protocolPage(): string {
  const rows = apis.toSorted((one, other) => one.key - other.key).map((api) => {
    const { key, name, versions: { start, end }, flexible } = api
    return `| ${name} | ${key} | ${start === end ? start : `${start}–${end}`} | ${flexible === Infinity ? 'never' : `v${flexible}`} | ${notesOf(api)} |`
  })
  return `${introduction}${rows.join('\n')}\n${rest}`
}

/** The comment at the head of the file that declares the API. */
function notesOf({ name }: Api): string {
  const file = name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
  const lines = readFileSync(new URL(`broker/protocol/messages/${file}.ts`, root), 'utf8').split('\n')
  const comment = lines.slice(0, lines.findIndex((line) => !line.startsWith('//'))).map((line) => line.slice(2).trim())
  if (comment.length === 0) throw new Error(`${file}.ts does not say what its versions brought`)
  return comment.join(' ').replaceAll('|', '\\|')
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const page = protocolPage()
  const isStale = readFileSync(protocolDocument, { encoding: 'utf8', flag: 'a+' }) !== page
  if (isStale && values.check) process.exitCode = 1
  else if (isStale) writeFileSync(protocolDocument, page)
  console.log(isStale ? (values.check ? 'docs/protocol.md is stale: npm run docs' : 'docs/protocol.md written') : 'docs/protocol.md is up to date')
}
