import { createPool } from '@platform-events/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Chat, type ChatReply, type ChatUser, startChat } from '../../../../test/support/chat.ts'
import { collectGarbage } from '../../../../test/support/collect-garbage.ts'
import { marketplaceApp } from '../../../../test/support/marketplace.ts'
import { answer, begin, chunk, event, refuse } from '../../../../test/support/model-server.ts'
import { soon } from '../../../../test/support/soon.ts'
import { offlineAssistant } from '../assistant/offline.ts'
import { openAiAssistant } from '../assistant/openai.ts'

let chat: Chat
let user: ChatUser
beforeAll(async () => {
  chat = await startChat()
})
afterAll(() => chat.stop())
beforeEach(async () => {
  user = await chat.makeUser()
  chat.model.behave((response) => answer(response, ['Answer ', String(chat.model.requests.length)]))
})

const KEY = { 'idempotency-key': 'one-key' }
const retry = (content = 'Hi', of = user): Promise<ChatReply> => chat.ask(of, content, KEY)

async function requestOf({ id } = user) {
  const { rows } = await chat.database.pool.query(
    'select conversation_id, answer_id, state, error_code, attempt from marketplace_internal.chat_requests where user_id = $1',
    [id],
  )
  expect(rows).toHaveLength(1)
  return rows[0]
}
async function conversationsOf({ id } = user): Promise<string[]> {
  const { rows } = await chat.database.pool.query('select id from public.amara_conversations where user_id = $1', [id])
  return rows.map((row) => row.id)
}
/** All that is stored for the user, where that is one conversation. */
async function stored(): Promise<string[]> {
  const conversations = await conversationsOf()
  expect(conversations).toHaveLength(1)
  return await chat.stored(conversations[0]!)
}
/** Makes the model wait, until it is let go. */
function holdModel(): { letGo: () => void; asked: () => Promise<void> } {
  let resolve: () => void
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  const before = chat.model.requests.length
  chat.model.behave(async (response) => {
    const mine = chat.model.requests.length
    await promise
    answer(response, ['Answer ', String(mine)])
  })
  return {
    letGo: () => resolve(),
    asked: () => soon(() => expect(chat.model.requests.length).toBeGreaterThan(before)),
  }
}

describe('the same key again', () => {
  it('after an answer: the same answer, and nobody is asked', async () => {
    const before = await chat.outcomes()
    const first = await retry()
    const requests = chat.model.requests.length
    const second = await retry()
    expect(first.status).toBe(200)
    expect(second.body).toEqual(first.body)
    expect(chat.model.requests).toHaveLength(requests)
    expect(await stored()).toEqual(['user: Hi', `assistant: ${first.body.message.content}`])
    const { answered = 0, replayed = 0 } = before
    expect(await chat.outcomes()).toMatchObject({ answered: answered + 1, replayed: replayed + 1 })
  })

  it('while it is being answered: refused, to be sent again later', async () => {
    const model = holdModel()
    const first = retry()
    await model.asked()
    const second = await retry()
    expect(second).toMatchObject({ status: 409, body: { code: 'request_in_progress', retryable: true } })
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0)
    model.letGo()
    expect((await first).status).toBe(200)
    expect(await stored()).toHaveLength(2)
    expect((await retry()).body).toEqual((await first).body)
  })

  it('in the same moment: one is answered, the others refused', async () => {
    const model = holdModel()
    const all = Array.from({ length: 6 }, () => retry())
    const refused = new Set<ChatReply>()
    for (const one of all) void one.then((reply) => refused.add(reply))
    await soon(() => expect(refused.size).toBe(5))
    expect([...refused].map(({ body }) => body.code)).toEqual(Array(5).fill('request_in_progress'))
    model.letGo()
    expect((await Promise.all(all)).map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409, 409])
    expect(await stored()).toHaveLength(2)
  })

  it('after a failure: the model is asked again, the question stored once, and answered as of then', async () => {
    chat.model.behave((response) => refuse(response, 500, 'The server had an error', null))
    const failed = await retry()
    expect(failed).toMatchObject({ status: 502, body: { code: 'assistant_failed', retryable: true } })
    expect(JSON.stringify(failed.body)).not.toContain('server had')
    expect(await stored()).toEqual(['user: Hi'])
    expect(await requestOf()).toMatchObject({ state: 'failed', error_code: 'status', attempt: 1, answer_id: null })

    // Meanwhile the conversation goes on.
    chat.model.behave((response) => answer(response, ['Fine']))
    const [conversation_id] = await conversationsOf()
    await chat.ask(user, { conversation_id, messages: [{ role: 'user', content: 'Later' }] })
    const again = await retry()
    expect(again.status).toBe(200)
    expect(chat.model.requests.at(-1)!.body.messages.slice(1)).toEqual([{ role: 'user', content: 'Hi' }])
    expect(await stored()).toEqual(['user: Hi', 'user: Later', 'assistant: Fine', 'assistant: Fine'])
    const { rows } = await chat.database.pool.query(
      `select state, attempt, failures, answer_id from marketplace_internal.chat_requests where user_id = $1 and idempotency_key = 'one-key'`,
      [user.id],
    )
    expect(rows).toEqual([{ state: 'answered', attempt: 2, failures: 1, answer_id: again.body.message.id }])
  })

  it('after its process died: taken over when its time is up, and an answer that comes late after all is not stored', async () => {
    const model = holdModel()
    const first = retry()
    await model.asked()
    // Younger than an answer may take, with what it takes to store it: it lives.
    const age = (seconds: number) =>
      chat.database.pool.query(
        'update marketplace_internal.chat_requests set started_at = clock_timestamp() - make_interval(secs => $2) where user_id = $1',
        [user.id, seconds],
      )
    for (const [seconds, again] of [
      [1, 2],
      [12, 13],
      [25, 6],
    ] as const) {
      await age(seconds)
      const refused = await retry()
      expect(refused.status).toBe(409)
      expect(Math.abs(Number(refused.headers['retry-after']) - again), `after ${seconds} s`).toBeLessThanOrEqual(1)
    }
    await age(31)
    chat.model.behave((response) => answer(response, ['Of the second']))
    const second = await retry()
    expect(second.body.message.content).toBe('Of the second')
    model.letGo()
    expect(await first).toMatchObject({ status: 409, body: { code: 'request_in_progress' } })
    expect(await stored()).toEqual(['user: Hi', 'assistant: Of the second'])
    expect(await requestOf()).toMatchObject({ state: 'answered', attempt: 2, answer_id: second.body.message.id })
  })

  it('with another body: refused; with another way of answering it is the same body', async () => {
    const first = await retry('Hi')
    expect(await retry('Ho')).toMatchObject({ status: 409, body: { code: 'idempotency_conflict', retryable: false } })
    const other = { messages: [{ role: 'user', content: 'Hi' }], locale: 'es' }
    expect((await chat.ask(user, other, KEY)).body.code).toBe('idempotency_conflict')
    const stream = await chat.ask(user, 'Hi', { ...KEY, accept: 'text/event-stream' })
    expect(stream.body).toContain(`event: done\ndata: ${JSON.stringify(first.body)}\n\n`)
    expect(await stored()).toHaveLength(2)
  })

  it('from another user: another request', async () => {
    const other = await chat.makeUser()
    const [mine, theirs] = [await retry('Hi', user), await retry('Something else', other)]
    expect(theirs.status).toBe(200)
    expect(theirs.body.conversation_id).not.toBe(mine.body.conversation_id)
  })

  it('after its conversation was deleted: not found, and nothing comes back', async () => {
    const { conversation_id } = (await retry()).body
    const url = `/api/amara/conversations/${conversation_id}`
    expect((await chat.app.inject({ method: 'DELETE', url, headers: user.headers })).statusCode).toBe(204)
    expect(await retry()).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await conversationsOf()).toEqual([])
  })

  it('after it was refused: a new request, for it left nothing', async () => {
    const { conversation_id } = (await chat.ask(user, 'Hi')).body
    await chat.database.pool.query('update public.amara_conversations set is_active = false where id = $1', [
      conversation_id,
    ])
    const messages = [{ role: 'user', content: 'More' }]
    expect((await chat.ask(user, { conversation_id, messages }, KEY)).body.code).toBe('conversation_closed')
    expect((await chat.ask(user, { messages }, KEY)).status).toBe(200)
  })
})

describe('the same question twice at once on one conversation', () => {
  it('without a key: one is answered, the other refused', async () => {
    const { conversation_id } = (await chat.ask(user, 'Hello')).body
    const again = { conversation_id, messages: [{ role: 'user', content: 'Hi' }] }
    const model = holdModel()
    const replies = [chat.ask(user, again), chat.ask(user, again)]
    await model.asked()
    const refused = await Promise.race(replies)
    expect(refused).toMatchObject({ status: 409, body: { code: 'request_in_progress', retryable: true } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    model.letGo()
    expect((await Promise.all(replies)).map(({ status }) => status).toSorted()).toEqual([200, 409])
    expect((await stored()).slice(2)).toEqual(['user: Hi', expect.stringMatching(/^assistant: /)])
  })

  it('one of them a retry of what failed before', async () => {
    chat.model.behave((response) => refuse(response, 503, 'overloaded', null))
    expect((await retry()).status).toBe(502)
    const [conversation_id] = await conversationsOf()
    const model = holdModel()
    const first = chat.ask(user, { conversation_id, messages: [{ role: 'user', content: 'Hi' }] })
    await model.asked()
    expect(await retry()).toMatchObject({ status: 409, body: { code: 'request_in_progress' } })
    model.letGo()
    expect((await first).status).toBe(200)
    expect(await stored()).toHaveLength(2)
  })
})

describe('a model that fails', () => {
  it('by its time: 504, the question is kept, and the figures have it', async () => {
    chat.model.behave((response) => void begin(response).write(event(chunk({ content: 'Half' }))))
    const impatient = openAiAssistant({ url: chat.model.url, model: 'test-model', timeoutMs: 300 })
    const app = await marketplaceApp(chat.database, { assistant: impatient })
    const asked = chat.ask(user, 'Hi', {}, app)
    // In a process that does other things too, what nobody holds is gone before the time is up.
    const collecting = setInterval(collectGarbage, 20)
    const late = await asked
    clearInterval(collecting)
    expect(late).toMatchObject({ status: 504, body: { code: 'assistant_timeout', retryable: true } })
    expect(await stored()).toEqual(['user: Hi'])
    expect(await requestOf()).toMatchObject({ state: 'failed', error_code: 'timeout' })
    expect(await chat.outcomes(app)).toEqual({ timeout: 1 })
    const { body } = await app.inject('/metrics')
    expect(body).toMatch(/marketplace_chat_answer_seconds_count\{outcome="timeout"\} 1/)
    await app.close()
  })

  it('asked again without a key, with the same messages: the question is still stored once', async () => {
    chat.model.behave((response) => refuse(response, 503, 'overloaded', null))
    expect((await chat.ask(user, 'Hi')).status).toBe(502)
    const [conversation_id] = await conversationsOf()
    chat.model.behave((response) => answer(response, ['Back']))
    const again = await chat.ask(user, { conversation_id, messages: [{ role: 'user', content: 'Hi' }] })
    expect(again.status).toBe(200)
    expect(await stored()).toEqual(['user: Hi', 'assistant: Back'])
  })
})

it('answers 503 while Postgres is away, and counts it as an error', async () => {
  const pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test' })
  const app = await marketplaceApp({ pool }, { assistant: offlineAssistant(1000) })
  const away = await chat.ask(user, 'Hi', {}, app)
  expect(away).toMatchObject({ status: 503, body: { code: 'database_unavailable', retryable: true } })
  expect(Number(away.headers['retry-after'])).toBeGreaterThan(0)
  expect(await chat.outcomes(app)).toEqual({ error: 1 })
  await app.close()
  await pool.end()
})
