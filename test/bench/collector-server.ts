/**
 * One of the servers that collector.ts compares, as a process of its own: `bare` (Fastify parses the body and answers) or
 * `collector` (the real app on the real local log: validated, appended, fsynced). Tells its port and, when asked, its CPU time.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCollector, ReceivedCounts, type Source } from '@platform-events/collector'
import { openLocalLog } from '@platform-events/event-log'
import { createLogger, createMetrics } from '@platform-events/runtime'
import Fastify, { type FastifyInstance } from 'fastify'
import { KeyIndex } from '../../services/collector/src/key-index.ts'

const directory = await mkdtemp(join(tmpdir(), 'platform-events-bench-'))
const { app, close } = process.argv[2] === 'bare' ? bare() : await collector()
await app.listen({ host: '127.0.0.1', port: 0 })
process.on('message', async (message) => {
  if (message === 'cpu') process.send?.({ cpu: process.cpuUsage() })
  if (message === 'stop') {
    await app.close()
    await close()
    await rm(directory, { recursive: true, force: true })
    process.exit(0)
  }
})
process.send?.({ port: (app.server.address() as { port: number }).port })

function bare(): { app: FastifyInstance; close(): Promise<void> } {
  const app = Fastify()
  app.post('/v1/events', async (request, reply) => {
    const { batch } = request.body as { batch: unknown[] }
    return reply.code(202).send({ accepted: batch.length })
  })
  return { app, close: async () => {} }
}

async function collector(): Promise<{ app: FastifyInstance; close(): Promise<void> }> {
  const logger = createLogger({ name: 'bench', level: 'silent' })
  const log = await openLocalLog({ directory, logger })
  const source: Source = {
    sourceId: 1,
    name: 'bench',
    writeKey: 'pk_bench',
    secretKeyHash: null,
    allowedOrigins: ['*'],
    userIds: 'trust',
    eventsPerSecond: null,
  }
  const keys = new KeyIndex([source])
  const app = await buildCollector({
    log,
    received: new ReceivedCounts(),
    logger,
    metrics: createMetrics(),
    sources: { find: (key) => keys.find(key) ?? null },
    verifyJwt: async () => null,
    checks: {},
  })
  return { app, close: () => log.close() }
}
