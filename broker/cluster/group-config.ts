import type { Setting } from './topic-config.ts'

/** Settings of single groups (KIP-848), over the broker's `group.` defaults. */
export const groupSettings: ReadonlyMap<string, Setting> = new Map([
  ['consumer.heartbeat.interval.ms', {
    name: 'consumer.heartbeat.interval.ms', type: 'int', fallback: '5000', min: 1, max: 2 ** 31 - 1,
    about: 'How often members of this group are to send heartbeats',
  }],
  ['consumer.session.timeout.ms', {
    name: 'consumer.session.timeout.ms', type: 'int', fallback: '45000', min: 1, max: 2 ** 31 - 1,
    about: 'How long a member of this group may be silent',
  }],
])
