// Every queue, cache, buffer and retry of a broker, with its bound. What an operator may need to change is a setting
// (config.ts, cluster/broker-config.ts); the rest stands here, and the relations between them are held below.

import { strict as assert } from 'node:assert'
import { brokerSettings } from './cluster/broker-config.ts'
import { defaultGroupLimits } from './coordinator/group-settings.ts'
import { defaultTransactionLimits } from './coordinator/transactions/transaction-settings.ts'
import { producersMax } from './log/producer-state.ts'

const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  net: {
    connectionsMax: 10_000,
    connectionsPerHostMax: 10_000,
    /** Requests of one connection that are served or wait. */
    requestsInFlightMax: 100,
    /** Of one connection; one request may be larger, and is then alone. */
    requestBytesInFlightMax: 16 * MiB,
    replyBytesQueuedMax: 16 * MiB,
    writeStallMsMax: 30_000,
    closeGraceMs: 5_000,
    /** Memory of served frames that is kept to be used again. */
    pooledBytesMax: 16 * MiB,
  },
  fetch: {
    waitMsMax: 60_000,
    coldGraceMs: 20,
    /** Of records in replies that clients have not taken yet, over all connections. */
    replyBytesMax: 48 * MiB,
    /** Of one read of a partition, when none and when all of those are in use. */
    readBytesMax: 4 * MiB,
    readBytesMin: 64 * KiB,
    sessionEvictableAfterMs: 120_000,
  },
  turnedAway: {
    /** Producers whose first batch to a partition was refused, and may come behind the next one. */
    producersMax: 10_000,
  },
  enlisting: {
    /** Of one question to a coordinator, questions under way to one, and partitions that wait for the next. */
    transactionsPerAskMax: 500,
    asksInFlightMax: 8,
    waitingMax: 20_000,
    /** Until the outcome of a question counts as unknown: above what a table that is slow takes for a write. */
    askTimeoutMs: 5_000,
    /** As Kafka's add.partitions.to.txn.retry.backoff.ms and .max.ms. */
    retryMs: 20,
    retryMsMax: 100,
  },
  metadata: {
    itemCharactersMax: 300 * KiB,
    changeAttemptsMax: 20,
    itemsPerSnapshot: 25,
    partitionsPerTopicMax: 10_000,
    partitionsPerPageMax: 2_000,
    /** Partitions that one append moves, elects leaders for or takes from a broker: what is beyond that goes into the next. */
    partitionsPerChangeMax: 2_000,
  },
  cluster: {
    /** A broker that is silent for so long may be taken for dead, and renews its session several times meanwhile. */
    sessionMs: 3_000,
    renewEveryMs: 750,
    unfenceAfterMs: 1_000,
    /** Leaders are given back to where they were placed so often. */
    balanceEveryMs: 10_000,
    /** Partitions that the controller moves off a broker, or to those that have fewer, at a time. */
    movesMax: 16,
    /** Clients are told of a broker for so long after it has gone. */
    departedMs: 5_000,
    /** Looks at the metadata log, and the shortest time between two where others hint. */
    pollEveryMs: 250,
    pollEveryMsMin: 10,
    /** A broker that stops waits so long for clients to hear where they are led to. */
    handOverMs: 150,
    /** A broker that was told of a change answers after so long, whether the table shows it or not. */
    hintWaitMs: 1_000,
    /** What clients are to hear waits so long at most: until the others know who leads, or until it is clear who is gone. */
    newsMsMax: 250,
  },
  peers: {
    connectTimeoutMs: 2_000,
    /**
     * As long as a frame can be: a batch is as large as `socket.request.max.bytes` was where and when it was taken, and a
     * reply that is refused ends the fetches of every partition beside it. Memory is taken as the bytes come.
     */
    replyBytesMax: 2 ** 31 - 1,
    requestsInFlightMax: 100,
    /** Frames that are used again; of each connection, which has one fetch under way. */
    pooledBytesMax: 4 * MiB,
    refusedAgainMs: 15,
    reconnectMs: 1_000,
    hintTimeoutMs: 5_000,
    /** Connections to one other broker for questions that are answered soon; more questions than those wait for each other. */
    askLinksMax: 8,
  },
  replication: {
    waitMsMax: 500,
    silenceMsMax: 2_000,
    /** Leaders look for followers that are silent so often. */
    lookEveryMs: 250,
    /** A leader that nobody reaches hands over after that silence; where this does not help, at last only so often. */
    handOverAfterMsMax: 120_000,
    /** With all that is around the records, an answer has room in a buffer that is used again. */
    responseBytesMax: 3.5 * MiB,
    partitionBytesMax: 2 * MiB,
    retryMs: 50,
    retryMsMax: 2_000,
    /** Changes of in-sync replicas: tried again after, and partitions in one. */
    changeRetryMs: 500,
    changePartitionsMax: 2_000,
    /** Until markers are on every in-sync replica; then their coordinator writes them once more. */
    markerTimeoutMs: 5_000,
  },
  groups: defaultGroupLimits,
  transactions: defaultTransactionLimits,
  producerIds: {
    blockLength: 1_000,
    attemptsMax: 20,
  },
  partitions: {
    /** Logs that are recovered side by side at the start. */
    openingMax: 16,
    housekeepingEveryMs: 1_000,
    /** Partitions that are looked at side by side. */
    tidiedMax: 16,
    /** Partitions that could not be opened are tried again so often. */
    reopenEveryMs: 10_000,
  },
  compaction: {
    /** After a pass that failed. */
    retryMs: 60_000,
    /** The thread that compacts ends when it had nothing to do for so long. */
    idleMs: 60_000,
    /** A long pass tells how far it is so often. */
    progressEveryMs: 10_000,
  },
  tier: {
    /** Each partition's manifest, retention and eviction are looked at so often. */
    tickEveryMs: 10_000,
    /** Bucket and manifest are held against each other so often. */
    reconcileEveryMs: 86_400_000,
    /** Partitions that are looked at, and held against the bucket, at a time: the table has room for so many requests and others. */
    ticksMax: 64,
    reconcilesMax: 2,
    compactionsMax: 1,
    sweepEveryMs: 60_000,
    /** Calls that may be under way to the thread that does the tier's work. */
    callsMax: 2_000,
  },
  log: {
    /** Of one log, beside those with an open transaction. */
    producersMax,
    /** Recent batches of all partitions that are kept in memory for readers at the tail. */
    hotBytesMax: 32 * MiB,
    /** Of one batch that is opened, once it is decompressed. */
    openedBytesMax: 128 * MiB,
    /** The same while its producer waits, and all others with it; a topic that allows larger batches has more. */
    checkedBytesMax: 16 * MiB,
    /** Memory of reads from disk that is kept to be used again. */
    pooledBytesMax: 16 * MiB,
  },
} as const

assert(limits.fetch.coldGraceMs < limits.fetch.waitMsMax, 'what waits for the object store must be answered before the client goes away')
assert(limits.fetch.readBytesMax * 8 <= limits.fetch.replyBytesMax, 'one read may have an eighth of what is free')
assert(limits.cluster.renewEveryMs * 3 <= limits.cluster.sessionMs, 'a session outlives two renewals that fail')
assert(limits.log.checkedBytesMax <= limits.log.openedBytesMax, 'what was taken in can be opened again')
assert(limits.peers.replyBytesMax >= brokerSettings.get('socket.request.max.bytes')!.max!, 'what one broker takes, the others get')
assert(limits.metadata.itemCharactersMax < 390 * KiB, 'an item of the metadata log must fit into the table')
assert(limits.replication.silenceMsMax <= limits.replication.handOverAfterMsMax, 'a leader that nobody reaches waits longer, never less')
