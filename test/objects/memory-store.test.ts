import { objectStoreCases } from '../cases/object-store.cases.ts'
import { MemoryStore } from '../support/memory-store.ts'

objectStoreCases('MemoryStore', async () => new MemoryStore())
