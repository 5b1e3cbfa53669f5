import type { ClassicGroup, ClassicMember, Protocol } from './classic-group.ts'

type Members = ClassicGroup['members']

/** How many members can do each protocol. */
function support(members: Members): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { protocols } of members.values()) {
    for (const name of new Set(protocols.map((protocol) => protocol.name))) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** May somebody with these protocols join? The first member decides on the type, all must have a protocol in common. */
export function supports(group: ClassicGroup, protocolType: string, protocols: readonly Protocol[]): boolean {
  if (group.phase.state === 'Empty') return protocolType !== '' && protocols.length > 0
  if (group.protocolType !== protocolType) return false
  const counts = support(group.members)
  return protocols.some(({ name }) => (counts.get(name) ?? 0) === group.members.size)
}

/** Each member votes for the first of its protocols that everybody can do; the most votes win. */
export function chooseProtocol(members: Members): string | undefined {
  const counts = support(members)
  const votes = new Map<string, number>()
  for (const { protocols } of members.values()) {
    const choice = protocols.find(({ name }) => counts.get(name) === members.size)
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
  }
  let best: string | undefined
  for (const [name, count] of votes) {
    if (best === undefined || count > votes.get(best)!) best = name
  }
  return best
}

/** The same protocols in the same order with the same metadata: nothing that would call for a rebalance. */
export function hasSameProtocols(member: Pick<ClassicMember, 'protocols'>, protocols: readonly Protocol[]): boolean {
  return member.protocols.length === protocols.length && member.protocols.every(({ name, metadata }, index) => {
    const other = protocols[index]!
    return name === other.name && metadata.equals(other.metadata)
  })
}
