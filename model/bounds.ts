import type { Rule } from '../broker/runtime/rules.ts'
import type { Event } from './event.ts'

/** How far an exploration goes. Within these it leaves nothing out. */
export interface Bounds {
  /** Records that producers send. */
  readonly values: number
  /** Items of the metadata log: elections, fences, starts and changes of the in-sync replicas together. */
  readonly changes: number
  /** Changes of leader, and new terms of one. */
  readonly terms: number
  /** Starts of a broker that lose nothing. */
  readonly restarts: number
  /** Starts that lose the end of the log, or all of the disk. */
  readonly losses: number
  /** Fetches, and answers to them, that are delivered after something else has happened. */
  readonly lateRequests: number
  readonly lateAnswers: number
  /** Changes of the in-sync replicas whose leader is not told the outcome. */
  readonly unheard: number
  /** Fetches that a leader holds, and reads for once more when its follower has given them up. */
  readonly held: number
  /** Leaders that hand over though they serve. */
  readonly moves: number
  /** Whether a broker that looks at the metadata log sees all of it, and never but the next item. */
  readonly seesAll: boolean
  /** States after which an exploration is cut, and says so. */
  readonly statesMax: number
  /** What has happened before the exploration begins, for violations that are far away. */
  readonly from: readonly Event[]
}

export const noFaults: Bounds = {
  values: 1, changes: 0, terms: 0, restarts: 0, losses: 0, lateRequests: 0, lateAnswers: 0, unheard: 0, held: 0, moves: 0,
  seesAll: false, statesMax: 1_500_000, from: [],
}

/** 0 and 1 have committed a record without 2, and 0 is fenced before 1 has heard that it is committed. */
const committedByTwo: readonly Event[] = [
  { kind: 'fetch', broker: 1 }, { kind: 'propose', broker: 0, late: [2] }, { kind: 'carry out', broker: 0 }, { kind: 'see', broker: 0 },
  { kind: 'produce', broker: 0 }, { kind: 'fetch', broker: 1 }, { kind: 'send', broker: 1 }, { kind: 'arrive', index: 0 },
  { kind: 'fence', broker: 0 },
]
/** 2 has left the in-sync replicas, and has by now what the others have. */
const caughtUpAgain: readonly Event[] = [
  { kind: 'propose', broker: 0, late: [2] }, { kind: 'carry out', broker: 0 }, { kind: 'see all', broker: 0 },
  { kind: 'produce', broker: 0 }, { kind: 'fetch', broker: 1 }, { kind: 'fetch', broker: 2 },
]
/** 0 holds a fetch of 1, which starts again with less. */
const heldFetch: readonly Event[] = [
  { kind: 'produce', broker: 0 }, { kind: 'fetch', broker: 1 }, { kind: 'hold', broker: 1 }, { kind: 'restart', broker: 1, keeps: 0 },
  { kind: 'see all', broker: 0 },
]

/** What is explored with all rules kept: each has more of one thing, for all of everything at once would not end. */
export const scenes: Readonly<Record<string, Bounds>> = {
  'leaders change': { ...noFaults, values: 2, changes: 2, terms: 2, moves: 1 },
  'brokers restart': { ...noFaults, values: 2, changes: 2, terms: 2, restarts: 1, moves: 1 },
  'disks lose their end': { ...noFaults, values: 1, changes: 3, terms: 2, losses: 1, seesAll: true },
  'answers are late': { ...noFaults, values: 1, changes: 2, terms: 2, lateAnswers: 1, seesAll: true },
  'requests are late': { ...noFaults, values: 1, changes: 2, terms: 2, lateRequests: 1, seesAll: true },
  'requests are held': { ...noFaults, values: 1, changes: 2, terms: 2, held: 1, seesAll: true },
  'outcomes are not heard': { ...noFaults, values: 1, changes: 3, terms: 1, unheard: 1, seesAll: true },
  'a held fetch outlives the start that sent it': {
    ...noFaults, changes: 3, terms: 1, losses: 1, held: 1, lateAnswers: 1, seesAll: true, from: heldFetch,
  },
}

/** What the shortest way to a violation needs, once the rule is gone. */
export const removals: Readonly<Record<Rule, Bounds>> = {
  'a shrink counts once it is confirmed': { ...noFaults, changes: 2, terms: 2 },
  'a proposed member is waited for': { ...noFaults, changes: 3, terms: 1, seesAll: true },
  'fetches are checked for the leader epoch': { ...noFaults, changes: 3, terms: 3, restarts: 1 },
  'followers truncate': { ...noFaults, values: 2, changes: 3, terms: 2 },
  'followers truncate by epoch': { ...noFaults, changes: 3, terms: 3 },
  'a member has all of earlier epochs': { ...noFaults, changes: 4, terms: 2, lateAnswers: 1, seesAll: true, from: committedByTwo },
  'a member is of the incarnation that fetched': { ...noFaults, changes: 4, terms: 1, losses: 1, seesAll: true, from: caughtUpAgain },
  'a change is of the newest partition epoch': { ...noFaults, changes: 3, terms: 1, losses: 1, seesAll: true },
  'a restart takes a new epoch': { ...noFaults, values: 2, changes: 3, terms: 2, losses: 1 },
  'leaders come from the in-sync replicas': { ...noFaults, changes: 3, terms: 2 },
  'a loss leaves the in-sync replicas': { ...noFaults, changes: 3, terms: 2, losses: 1 },
  'the in-sync replicas are never too few': { ...noFaults, changes: 1, seesAll: true },
}
