import { createRequire } from 'node:module'
import { createLogger } from '@platform-events/runtime'
import { expect, it } from 'vitest'

interface FetchManager {
  start(): Promise<void>
  stop(): Promise<void>
}

// From inside kafkajs, which our patch changes: infra/patches.
const createFetchManager = createRequire(import.meta.url)('kafkajs/src/consumer/fetchManager') as (
  options: object,
) => FetchManager

const logger = Object.assign(createLogger({ name: 'test', level: 'silent' }), { namespace: () => logger })

it('a consumer that is stopped while the set of brokers changes ends, and does not spin for ever', async () => {
  let nodeIds = ['1', '2']
  let fetches = 0
  const answers: (() => void)[] = []
  const manager = createFetchManager({
    logger,
    getNodeIds: () => nodeIds,
    handler: async () => undefined,
    async fetch() {
      // A loop of microtasks lets nobody else have a turn, this test's own timeout least of all.
      if (++fetches > 1000) throw new Error('it spins')
      if (fetches <= 2) await new Promise<void>((resolve) => answers.push(resolve))
      return []
    },
  })
  const ended = manager.start()
  nodeIds = ['1', '3']
  // One fetcher sees the change and has the other end, whose broker has not answered yet. Then comes the stop.
  answers[0]!()
  await new Promise(setImmediate)
  const stopped = manager.stop()
  answers[1]!()
  await Promise.all([ended, stopped])
  expect(fetches).toBe(2)
})
