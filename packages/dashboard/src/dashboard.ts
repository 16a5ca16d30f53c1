import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'

export interface DashboardOptions {
  /** The tracker as one script, served at /t.js, and as one ES module, at /t.mjs; asked for once, at the first request. */
  script: () => Promise<string>
  module: () => Promise<string>
  /** The public key that the page's own events are sent with. */
  writeKey: () => string | Promise<string>
}

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/** Everything comes from this origin; styles are set through the CSSOM, so none are inline. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const ASSETS = new URL('./assets/', import.meta.url)

/** The page at /, its styles and modules under /assets/, and the tracker at /t.js and /t.mjs. */
export function dashboardRoutes(options: DashboardOptions): FastifyPluginAsync {
  return async (app) => {
    const page = await readFile(new URL('./page.html', import.meta.url), 'utf8')
    for (const name of await readdir(ASSETS)) {
      const asset = tagged(await readFile(new URL(name, ASSETS), 'utf8'), TYPES[extname(name)] ?? 'text/plain')
      app.get(`/assets/${name}`, (request, reply) => send(request, reply, asset, 'no-cache'))
    }

    app.get('/', async (_request, reply) => {
      const key = escapeAttribute(await options.writeKey())
      // The marketplace's module is optional: the page asks for its figures only where they are.
      const monitoring = app.hasRoute({ method: 'GET', url: '/api/monitoring' }) ? 'on' : 'off'
      return reply
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('referrer-policy', 'no-referrer')
        .header('x-content-type-options', 'nosniff')
        .send(page.replace('{{write_key}}', () => key).replace('{{monitoring}}', monitoring))
    })

    serveTracker(app, '/t.js', options.script)
    serveTracker(app, '/t.mjs', options.module)
  }
}

/** Any page may load it. */
function serveTracker(app: FastifyInstance, path: string, build: () => Promise<string>): void {
  let script: Promise<Tagged> | undefined
  app.get(path, async (request, reply) => {
    script ??= build().then((text) => tagged(text, TYPES['.js']!))
    try {
      reply.header('access-control-allow-origin', '*').header('cross-origin-resource-policy', 'cross-origin')
      return send(request, reply, await script, 'public, max-age=3600, stale-while-revalidate=86400')
    } catch (error) {
      script = undefined
      throw error
    }
  })
}

interface Tagged {
  body: string
  type: string
  etag: string
}

function tagged(body: string, type: string): Tagged {
  return { body, type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

function send(request: FastifyRequest, reply: FastifyReply, content: Tagged, caching: string): FastifyReply {
  reply.header('cache-control', caching).header('etag', content.etag).header('x-content-type-options', 'nosniff')
  // A proxy that compresses makes the tag a weak one.
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  if (known?.includes(content.etag)) return reply.code(304).send()
  return reply.type(content.type).send(content.body)
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
