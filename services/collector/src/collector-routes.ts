import { RequestError } from '@platform-events/contracts'
import type { FastifyPluginAsync } from 'fastify'
import { collectorMetrics } from './collector-metrics.ts'
import type { CollectorOptions } from './collector-options.ts'
import { allowReading, answerPreflight } from './cors.ts'
import { eventsHandler } from './events-handler.ts'
import { InFlightBytes } from './in-flight.ts'

const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024

/** `POST /v1/events`, and what browsers ask before it. Answers 202 only after the log has every event accepted. */
export function collectorRoutes(options: CollectorOptions): FastifyPluginAsync {
  const inFlight = new InFlightBytes(options.maxInFlightBytes ?? MAX_IN_FLIGHT_BYTES, options.now ?? Date.now)
  const metrics = collectorMetrics(options.metrics, () => inFlight.bytes)
  const post = eventsHandler(options, metrics, inFlight)
  return async (app) => {
    // The handler reads the body itself: whatever its type, in bounds, and leaving the connection open when it refuses.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.addHook('onRequest', (request, reply, done) => {
      allowReading(request, reply)
      done()
    })
    app.addHook('onResponse', (_request, reply, done) => {
      metrics.seconds.observe({ status: reply.statusCode }, reply.elapsedTime / 1000)
      done()
    })
    app.post('/v1/events', post)
    app.options('/v1/events', async (request, reply) => answerPreflight(request, reply))
    app.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url: '/v1/events',
      handler: async (request, reply) => {
        reply.header('allow', 'POST, OPTIONS')
        throw new RequestError('method_not_allowed', `${request.method} does not work here: send events by POST.`)
      },
    })
  }
}
