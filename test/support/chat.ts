import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { openAiAssistant } from '../../services/marketplace/src/assistant/openai.ts'
import { createMarketplaceDatabase, marketplaceApp } from './marketplace.ts'
import { type ModelServer, startModelServer } from './model-server.ts'
import { platformToken } from './platform-token.ts'
import type { TestDatabase } from './postgres.ts'

export interface ChatUser {
  id: string
  headers: { authorization: string }
}

export interface Chat {
  database: TestDatabase
  app: FastifyInstance
  model: ModelServer
  makeUser(): Promise<ChatUser>
  /** POST /api/amara/chat, to `app` unless told another; a string is the one message of the user. */
  ask(
    user: ChatUser,
    payload: string | object,
    headers?: Record<string, string>,
    app?: FastifyInstance,
  ): Promise<ChatReply>
  get(user: ChatUser, path: string): Promise<ChatReply>
  /** What is stored of a conversation, in its order: 'user: Hi'. */
  stored(conversationId: string): Promise<string[]>
  /** The figures of marketplace_chat_requests_total that are not 0. */
  outcomes(app?: FastifyInstance): Promise<Record<string, number>>
  stop(): Promise<void>
}

export interface ChatReply {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: whatever was answered
  body: any
  headers: Record<string, unknown>
}

/** The marketplace over a database of its own, with a model behind HTTP that a test tells what to do. */
export async function startChat(): Promise<Chat> {
  const database = await createMarketplaceDatabase()
  const model = await startModelServer()
  const assistant = openAiAssistant({ url: model.url, model: 'test-model', timeoutMs: 10_000 })
  const app = await marketplaceApp(database, { assistant })

  async function inject(options: object, to = app): Promise<ChatReply> {
    const answer = await to.inject(options)
    const isJson = /json/.test(String(answer.headers['content-type']))
    return { status: answer.statusCode, body: isJson ? answer.json() : answer.body, headers: answer.headers }
  }
  return {
    database,
    app,
    model,
    async makeUser() {
      const id = randomUUID()
      await database.pool.query('insert into auth.users (id) values ($1)', [id])
      return { id, headers: { authorization: `Bearer ${platformToken({ sub: id })}` } }
    },
    ask(user, payload, headers = {}, to = app) {
      const body = typeof payload === 'string' ? { messages: [{ role: 'user', content: payload }] } : payload
      const all = { ...user.headers, ...headers }
      return inject({ method: 'POST', url: '/api/amara/chat', headers: all, payload: body }, to)
    },
    get: (user, path) => inject({ url: path, headers: user.headers }),
    async stored(conversationId) {
      const { rows } = await database.pool.query<{ said: string }>(
        `select role || ': ' || content as said from public.amara_messages where conversation_id = $1 order by created_at, id`,
        [conversationId],
      )
      return rows.map(({ said }) => said)
    },
    async outcomes(of = app) {
      const { body } = await of.inject('/metrics')
      const lines = body.matchAll(/^marketplace_chat_requests_total\{outcome="(\w+)"\} ([1-9]\d*)$/gm)
      return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]))
    },
    async stop() {
      await model.stop()
      await app.close()
      await database.drop()
    },
  }
}
