import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { vi } from 'vitest'
import { eventLogContract } from '../../../test/support/event-log-contract.ts'
import { openEventLog } from './open.ts'

vi.setConfig({ testTimeout: 40_000 })

eventLogContract('the local log', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'local-log-'))
  const settings = { DATA_DIR: directory }
  return {
    settings,
    open: () => openEventLog(settings, createLogger({ name: 'test', level: 'silent' })),
    replace: () => rm(join(directory, 'log'), { recursive: true }),
    remove: () => rm(directory, { recursive: true }),
  }
})
