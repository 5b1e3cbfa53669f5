import { MemoryTable } from '../support/memory-table.ts'
import { tableCases } from '../cases/table.cases.ts'

tableCases('MemoryTable', async () => new MemoryTable())
