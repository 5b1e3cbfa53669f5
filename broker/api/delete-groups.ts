// DeleteGroups, v0-v2: groups without members are deleted, with their offsets.

import type { Groups } from '../coordinator/groups.ts'
import type { ErrorCode } from '../protocol/error-code.ts'
import { deleteGroupsApi } from '../protocol/messages/delete-groups.ts'
import type { HandlerOf } from './handler.ts'

export function deleteGroups(groups: Groups): HandlerOf<typeof deleteGroupsApi> {
  return {
    api: deleteGroupsApi,

    async handle({ groupsNames }) {
      const results = [...new Set(groupsNames)].map(async (groupId) => ({
        groupId, errorCode: await groups.execute<ErrorCode>(groupId, { kind: 'deleteGroup' }),
      }))
      return { results: await Promise.all(results) }
    },

    refuse: ({ groupsNames }, errorCode) => ({ results: groupsNames.map((groupId) => ({ groupId, errorCode })) }),
  }
}
