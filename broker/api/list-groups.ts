// ListGroups, v0-v5: the groups that this broker coordinates; a client asks all brokers.
//
//   v4  by state (KIP-518)     v5  by type (KIP-848): classic or consumer

import type { Groups } from '../coordinator/groups.ts'
import { ErrorCode } from '../protocol/error-code.ts'
import { listGroupsApi } from '../protocol/messages/list-groups.ts'
import type { HandlerOf } from './handler.ts'

export function listGroups(groups: Groups): HandlerOf<typeof listGroupsApi> {
  return {
    api: listGroupsApi,

    async handle({ statesFilter, typesFilter }) {
      const found = await groups.list()
      if (typeof found === 'number') return { errorCode: found, groups: [] }
      const [hasState, hasType] = [filter(statesFilter), filter(typesFilter)]
      return { errorCode: ErrorCode.NONE, groups: found.filter(({ groupState, groupType }) => hasState(groupState) && hasType(groupType)) }
    },

    refuse: (_request, errorCode) => ({ errorCode, groups: [] }),
  }
}

/** Without regard to case; no filter lets everything pass. */
function filter(wanted: readonly string[]): (text: string) => boolean {
  const set = new Set(wanted.map((text) => text.trim().toLowerCase()))
  return (text) => set.size === 0 || set.has(text.toLowerCase())
}
