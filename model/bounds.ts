import type { Rule } from '../broker/cluster/rules.ts'

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
  /** Messages between brokers that are delivered after something else has happened. */
  readonly delays: number
  /** Changes of the in-sync replicas whose leader is not told the outcome. */
  readonly unheard: number
  /** Leaders that hand over though they serve. */
  readonly moves: number
  /** States after which an exploration is cut, and says so. */
  readonly statesMax: number
}

export const noFaults: Bounds = {
  values: 1, changes: 0, terms: 0, restarts: 0, losses: 0, delays: 0, unheard: 0, moves: 0, statesMax: 3_000_000,
}

/** What is explored with all rules kept: each has more of one thing, for all of everything at once would not end. */
export const scenes: Readonly<Record<string, Bounds>> = {
  'leaders change': { ...noFaults, values: 2, changes: 3, terms: 3, moves: 1 },
  'brokers restart': { ...noFaults, values: 2, changes: 3, terms: 2, restarts: 2 },
  'disks lose their end': { ...noFaults, values: 1, changes: 4, terms: 2, losses: 1 },
  'messages are late': { ...noFaults, values: 1, changes: 3, terms: 2, delays: 1 },
  'outcomes are not heard': { ...noFaults, values: 1, changes: 4, terms: 1, unheard: 2 },
}

/** What the shortest way to a violation needs, once the rule is gone. */
export const removals: Readonly<Record<Rule, Bounds>> = {
  'a shrink counts once it is confirmed': { ...noFaults, changes: 2, terms: 2 },
  'a proposed member is waited for': { ...noFaults, changes: 4, terms: 2 },
  'fetches are checked for the leader epoch': { ...noFaults, changes: 3, terms: 3, restarts: 1 },
  'followers truncate': { ...noFaults, values: 2, changes: 3, terms: 2 },
  'followers truncate by epoch': { ...noFaults, changes: 3, terms: 3 },
  'a member has all of earlier epochs': { ...noFaults, changes: 5, terms: 3 },
  'a member is of the incarnation that fetched': { ...noFaults, changes: 5, terms: 2, losses: 1 },
  'a change is of the newest partition epoch': { ...noFaults, changes: 5, terms: 2, losses: 1 },
  'a restart takes a new epoch': { ...noFaults, values: 2, changes: 3, terms: 2, losses: 1 },
  'leaders come from the in-sync replicas': { ...noFaults, changes: 3, terms: 2 },
  'a loss leaves the in-sync replicas': { ...noFaults, changes: 3, terms: 2, losses: 1 },
  'the in-sync replicas are never too few': { ...noFaults, changes: 4, terms: 2, losses: 1 },
}
