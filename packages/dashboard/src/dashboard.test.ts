import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dashboardRoutes } from './index.ts'

let app: FastifyInstance
let builds: number
let script: () => Promise<string>

beforeEach(async () => {
  builds = 0
  script = async () => `/* tracker, build ${++builds} */`
  app = Fastify()
  await app.register(
    dashboardRoutes({ script: () => script(), module: async () => 'export {}', writeKey: () => 'pk_"><script>' }),
  )
})
afterEach(() => app.close())

describe('the page', () => {
  it('carries the write key, escaped, and may load nothing from elsewhere', async () => {
    const answer = await app.inject('/')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
    expect(answer.body).toContain('data-write-key="pk_&quot;>&lt;script>"')
    expect(answer.body).not.toContain('{{')
    expect(answer.body).not.toMatch(/(src|href)="https?:|style="|<style|<script>/)
  })

  it('asks for the figures of the marketplace only where these are', async () => {
    expect((await app.inject('/')).body).toContain('data-monitoring="off"')
    const whole = Fastify()
    await whole.register(async (module) => module.get('/api/monitoring', async () => ({})))
    await whole.register(dashboardRoutes({ script, module: script, writeKey: () => 'pk_x' }))
    expect((await whole.inject('/')).body).toContain('data-monitoring="on"')
    await whole.close()
  })

  it('names only assets that are there, each with its type', async () => {
    const page = (await app.inject('/')).body
    const named = [...page.matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1]!)
    const waiting = [...named]
    const seen = new Set(named)
    for (const path of waiting) {
      const answer = await app.inject(path)
      expect([path, answer.statusCode]).toEqual([path, 200])
      expect(answer.headers['content-type']).toMatch(path.endsWith('.css') ? 'text/css' : 'text/javascript')
      for (const [, name] of answer.body.matchAll(/from '\.\/([^']+)'/g)) {
        const imported = `/assets/${name}`
        if (!seen.has(imported)) waiting.push(imported)
        seen.add(imported)
      }
    }
    expect(seen.size).toBeGreaterThan(10)
    expect((await app.inject('/assets/..%2fdashboard.ts')).statusCode).toBe(404)
  })
})

describe('/t.js', () => {
  it('is built once, may be embedded anywhere, and is not sent twice', async () => {
    const first = await app.inject('/t.js')
    expect(first.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    })
    expect(first.headers['cache-control']).toContain('max-age=3600')
    const etag = String(first.headers['etag'])
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await app.inject({ url: '/t.js', headers: { 'if-none-match': tag } })
      expect([again.statusCode, again.body]).toEqual([304, ''])
    }
    expect(builds).toBe(1)
  })

  it('is tried again after a build that failed', async () => {
    const works = script
    script = () => Promise.reject(new Error('no esbuild'))
    expect((await app.inject('/t.js')).statusCode).toBe(500)
    script = works
    expect((await app.inject('/t.js')).statusCode).toBe(200)
  })
})
