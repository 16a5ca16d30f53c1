import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { ErrorBody, IngestAnswer } from '../../packages/contracts/src/index.ts'
import { createLogger, createMetrics, platformJwtVerifier, type Registry } from '../../packages/runtime/src/index.ts'
import { buildCollector, type CollectorAppOptions, type Source } from '../../services/collector/src/index.ts'
import { KeyIndex } from '../../services/collector/src/key-index.ts'
import { ReceivedCounts } from '../../services/collector/src/received-counts.ts'
import { MemoryLog } from './memory-log.ts'
import { PLATFORM_SECRET } from './platform-token.ts'

export const PUBLIC_KEY = 'pk_test'
export const SECRET_KEY = 'sk_test'

/** A source with both keys, open to any origin, that takes no user id on trust. */
export function testSource(changes: Partial<Source> = {}): Source {
  return {
    sourceId: 7,
    name: 'test',
    writeKey: PUBLIC_KEY,
    secretKeyHash: createHash('sha256').update(SECRET_KEY).digest('hex'),
    allowedOrigins: ['*'],
    userIds: 'verify',
    eventsPerSecond: null,
    ...changes,
  }
}

export interface TestCollector {
  app: FastifyInstance
  log: MemoryLog
  metrics: Registry
  /** Posts a body (what is no string or Buffer goes as JSON), with the public key unless headers are given. */
  post(body: unknown, headers?: IncomingHttpHeaders, url?: string): Promise<TestAnswer>
  /** The sum of a counter, or of one of its labels' values. */
  counted(metric: string, labels?: Record<string, string>): Promise<number>
}

interface TestAnswer {
  status: number
  headers: Record<string, unknown>
  body: IngestAnswer & ErrorBody
}

/** The collector on an in-memory log, with one source; its time stands still at `now`. */
export async function testCollector(
  options: Partial<CollectorAppOptions> & { source?: Partial<Source> } = {},
): Promise<TestCollector> {
  const { source, ...changes } = options
  const log = new MemoryLog()
  const metrics = createMetrics()
  const keys = new KeyIndex([testSource(source)])
  const app = await buildCollector({
    log,
    metrics,
    received: new ReceivedCounts(),
    sources: { find: (key) => keys.find(key) ?? null },
    verifyJwt: platformJwtVerifier({ JWT_SECRET: PLATFORM_SECRET }),
    logger: createLogger({ name: 'collector', level: 'silent' }),
    checks: {},
    ...changes,
  })
  return {
    app,
    log,
    metrics,
    async post(body, headers = { authorization: `Bearer ${PUBLIC_KEY}` }, url = '/v1/events') {
      const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
      const answer = await app.inject({ method: 'POST', url, headers, payload })
      return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
    },
    async counted(metric, labels = {}) {
      const values = (await metrics.getSingleMetric(metric)?.get())?.values ?? []
      const wanted = Object.entries(labels)
      return values
        .filter((value) => wanted.every(([name, label]) => value.labels[name] === label))
        .reduce((sum, { value }) => sum + value, 0)
    },
  }
}
