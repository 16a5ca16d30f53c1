import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'

let database: TestDatabase
let app: FastifyInstance

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

async function makeUser(): Promise<{ id: string; headers: { authorization: string } }> {
  const id = randomUUID()
  await database.pool.query('insert into auth.users (id) values ($1)', [id])
  return { id, headers: { authorization: `Bearer ${platformToken({ sub: id })}` } }
}

const ask = (headers: object, payload: object, more: object = {}) =>
  app.inject({ method: 'POST', url: '/api/amara/chat', headers: { ...headers, ...more }, payload })

it('begins a conversation, stores both messages and when the last one came, and answers', async () => {
  const user = await makeUser()
  const answer = await ask(user.headers, { messages: [{ role: 'user', content: 'How much is a plumber in Bogotá?' }] })
  expect(answer.json()).toMatchObject({
    conversation_id: expect.any(String),
    message: { role: 'assistant', content: expect.stringMatching(/offline assistant.*Plumbing in Bogotá/) },
  })
  expect(answer.statusCode).toBe(200)
})
