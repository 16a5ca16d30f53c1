import { createPool } from '@platform-events/postgres'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { marketplaceApp } from '../../../test/support/marketplace.ts'

const SHOP = 'https://shop.example.com'
let app: FastifyInstance

beforeAll(async () => {
  // Nobody connects to it.
  const pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test' })
  app = await marketplaceApp({ pool }, { origins: [SHOP], trustProxy: 1 })
  app.get('/address', async (request) => ({ ip: request.ip }))
})
afterAll(() => app.close())

describe('pages of another origin', () => {
  it('may call where they are named: the preflight, the answer and an error say so', async () => {
    const preflight = await app.inject({
      method: 'OPTIONS',
      url: '/api/amara/chat',
      headers: { origin: SHOP, 'access-control-request-method': 'POST' },
    })
    expect(preflight.statusCode).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': SHOP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': expect.stringContaining('idempotency-key'),
      vary: 'origin',
    })
    const refused = await app.inject({ method: 'POST', url: '/api/amara/chat', headers: { origin: SHOP } })
    expect(refused).toMatchObject({ statusCode: 401, headers: { 'access-control-allow-origin': SHOP } })
  })

  it('may not where they are not', async () => {
    for (const origin of ['https://evil.example', `${SHOP}.evil.example`, 'null', undefined]) {
      const answer = await app.inject({ method: 'OPTIONS', url: '/api/amara/chat', headers: origin ? { origin } : {} })
      expect(answer.headers['access-control-allow-origin'], origin).toBeUndefined()
    }
  })
})

it('a proxy in front tells where a request comes from, and its client cannot', async () => {
  const answer = await app.inject({
    url: '/address',
    remoteAddress: '10.0.0.1',
    headers: { 'x-forwarded-for': '6.6.6.6, 190.24.1.7' },
  })
  expect(answer.json()).toEqual({ ip: '190.24.1.7' })
})
