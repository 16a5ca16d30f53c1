import type { FastifyInstance } from 'fastify'

/** A day; browsers cap it at two hours (Chromium) or a day (Firefox). */
const MAX_AGE_SECONDS = '86400'

/** Lets pages of these origins call (Fetch Standard, CORS protocol), with the cookie that tells one browser from another. */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return
  app.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined || !origins.includes(origin)) return
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-allow-credentials', 'true')
    reply.header('access-control-expose-headers', 'retry-after')
  })
  app.options('/api/*', (_request, reply) =>
    reply
      .header('access-control-allow-methods', 'GET, POST, DELETE')
      .header('access-control-allow-headers', 'authorization, content-type, idempotency-key, x-guest-session-token')
      .header('access-control-max-age', MAX_AGE_SECONDS)
      .code(204)
      .send(),
  )
}
