// Which member lies on which page (the layout of the items: group-items.ts). A plan is pure: it tells what to write and
// what the pages will be, which is true only once it is written.

import type { Json } from '../table/table.ts'
import { pageSort } from './group-items.ts'

/** Of JSON on a page; a character has at most three bytes, and an item of the table 390 KiB. */
export const pageCharactersMax = 100_000
/** More members make a change of one of them dearer, fewer make a change of all of them take more items. */
export const pageMembersMax = 32

export interface MemberPages {
  /** Grows with each plan; pages carry the revision that they were written in. */
  readonly revision: number
  /** By sort key. */
  readonly pages: ReadonlyMap<string, Page>
  /** The page of each member. */
  readonly pageOf: ReadonlyMap<string, string>
}

export interface Page {
  readonly members: ReadonlyMap<string, StoredMember>
  readonly characters: number
}

export interface StoredMember {
  readonly item: Json
  readonly characters: number
  /** What it was made of: where these are the same objects, nothing has changed. */
  readonly sources: readonly unknown[]
}

export interface PagePlan {
  readonly next: MemberPages
  /** New pages by sort key. */
  readonly puts: readonly { readonly sort: string; readonly value: Json }[]
  readonly deletes: readonly string[]
}

export const noPages: MemberPages = { revision: 0, pages: new Map(), pageOf: new Map() }

/** `changes` are members as they will be; undefined: gone. */
export function planPages(before: MemberPages, changes: ReadonlyMap<string, StoredMember | undefined>): PagePlan {
  const revision = before.revision + 1
  const touched = new Set<string>()
  const homeless: [string, StoredMember][] = []
  const drafts = new Map<string, Map<string, StoredMember>>()
  for (const [memberId, member] of changes) {
    const sort = before.pageOf.get(memberId)
    if (sort !== undefined) {
      touched.add(sort)
      let draft = drafts.get(sort)
      if (draft === undefined) drafts.set(sort, (draft = new Map(before.pages.get(sort)!.members)))
      if (member === undefined) draft.delete(memberId)
      else draft.set(memberId, member)
    } else if (member !== undefined) homeless.push([memberId, member])
  }
  if (homeless.length > 0) openPageWithRoom(before, touched, drafts)
  const groups = packed([...drafts.values()], homeless)
  return planOf({ before, revision, touched, groups })
}

/** New members go to pages that are written anyway, or to one that has room. */
function openPageWithRoom(before: MemberPages, touched: Set<string>, drafts: Map<string, Map<string, StoredMember>>): void {
  if (touched.size > 0) return
  for (const [sort, page] of before.pages) {
    if (page.members.size >= pageMembersMax || page.characters > pageCharactersMax / 2) continue
    touched.add(sort)
    drafts.set(sort, new Map(page.members))
    return
  }
}

/** Keeps together what lay together as long as it fits, and puts the rest where there is room. */
function packed(drafts: readonly Map<string, StoredMember>[], homeless: [string, StoredMember][]): Map<string, StoredMember>[] {
  const groups: { members: Map<string, StoredMember>; characters: number }[] = []
  const place = (memberId: string, member: StoredMember, start: number) => {
    const group = groups.slice(start).find(({ members, characters }) =>
      members.size < pageMembersMax && characters + member.characters <= pageCharactersMax)
    if (group === undefined) groups.push({ members: new Map([[memberId, member]]), characters: member.characters })
    else {
      group.members.set(memberId, member)
      group.characters += member.characters
    }
  }
  for (const draft of drafts) {
    const start = groups.length
    for (const [memberId, member] of draft) place(memberId, member, start)
  }
  for (const [memberId, member] of homeless) place(memberId, member, 0)
  return groups.map(({ members }) => members)
}

interface Parts {
  readonly before: MemberPages
  readonly revision: number
  readonly touched: ReadonlySet<string>
  readonly groups: readonly Map<string, StoredMember>[]
}

function planOf({ before, revision, touched, groups }: Parts): PagePlan {
  const pages = new Map([...before.pages].filter(([sort]) => !touched.has(sort)))
  const puts = groups.map((members, number) => {
    const sort = pageSort(revision, number)
    pages.set(sort, pageOf(members))
    return { sort, value: [...members.values()].map(({ item }) => item) }
  })
  return { next: { revision, pages, pageOf: indexOf(pages) }, puts, deletes: [...touched] }
}

function indexOf(pages: ReadonlyMap<string, Page>): Map<string, string> {
  const index = new Map<string, string>()
  for (const [sort, { members }] of pages) for (const memberId of members.keys()) index.set(memberId, sort)
  return index
}

export function pageOf(members: ReadonlyMap<string, StoredMember>): Page {
  let characters = 0
  for (const member of members.values()) characters += member.characters
  return { members, characters }
}

/** The pages as they were found in the table. */
export function loadedPages(
  revision: number, found: ReadonlyMap<string, readonly { readonly memberId: string; readonly member: StoredMember }[]>,
): MemberPages {
  const pages = new Map([...found].map(([sort, members]): [string, Page] =>
    [sort, pageOf(new Map(members.map(({ memberId, member }) => [memberId, member])))]))
  return { revision, pages, pageOf: indexOf(pages) }
}

export function storedMember(item: Json, sources: readonly unknown[]): StoredMember {
  return { item, characters: JSON.stringify(item).length + 1, sources }
}
