/** What can happen. Each event is one step of one part, with nothing else in between. */
export type Event =
  | { readonly kind: BrokerEvent; readonly broker: number }
  | { readonly kind: 'propose'; readonly broker: number; readonly late: readonly number[] }
  | { readonly kind: 'lose'; readonly broker: number; readonly mayLand: boolean }
  | { readonly kind: 'restart'; readonly broker: number; readonly keeps: number | 'all' | 'nothing' }
  | { readonly kind: 'arrive'; readonly index: number }
  | { readonly kind: 'land' | 'prefer' }

export type BrokerEvent =
  | 'produce' | 'see' | 'see all' | 'fetch' | 'send' | 'hold' | 'answer' | 'carry out' | 'refuse' | 'fence' | 'unfence' | 'hand over'

/** In words, for whoever reads a way to a violation. */
export function textOf(event: Event): string {
  switch (event.kind) {
    case 'propose':
      return `${event.broker} proposes other in-sync replicas${event.late.length === 0 ? '' : `; out of step: ${event.late.join(' and ')}`}`
    case 'lose':
      return `${event.broker} does not hear whether its change was carried out${event.mayLand ? '; it may land later' : '; it never will be'}`
    case 'restart':
      return `${event.broker} restarts ${keepsText(event.keeps)}`
    case 'arrive':
      return `a message that was late is delivered (number ${event.index + 1} of those on their way)`
    default:
      return 'broker' in event ? brokerText[event.kind].replaceAll('N', String(event.broker)) : otherText[event.kind]
  }
}

function keepsText(keeps: number | 'all' | 'nothing'): string {
  if (keeps === 'all') return 'with all that it had'
  return keeps === 'nothing' ? 'with another disk, which is empty' : `and has lost what was behind offset ${keeps}`
}

const brokerText: Readonly<Record<BrokerEvent, string>> = {
  produce: 'N takes a record, for it believes that it leads',
  see: 'N sees the next item of the metadata log',
  'see all': 'N sees all of the metadata log',
  fetch: 'N fetches, and carries out the answer',
  send: 'N fetches and gives up; its request is still on its way',
  hold: 'N fetches, there is nothing, and the leader holds the request; N gives it up',
  answer: 'N fetches; the answer is on its way',
  'carry out': 'the change that N proposed is decided in the metadata log',
  refuse: 'the change that N proposed is refused by what N has seen',
  fence: 'the session of N is over: it is fenced',
  unfence: 'N serves again: it is unfenced',
  'hand over': 'N, which its followers do not reach, hands over',
}

const otherText = { land: 'a change whose outcome nobody heard is carried out', prefer: 'the first replica is made the leader' } as const

export const eventKinds: readonly Event['kind'][] = [
  ...(Object.keys(brokerText) as BrokerEvent[]), ...(Object.keys(otherText) as ('land' | 'prefer')[]), 'propose', 'lose', 'restart', 'arrive',
]
