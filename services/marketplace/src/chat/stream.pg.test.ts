import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Chat, type ChatUser, startChat } from '../../../../test/support/chat.ts'
import { answer, begin, chunk, event, finish, refuse } from '../../../../test/support/model-server.ts'
import { soon } from '../../../../test/support/soon.ts'
import { sseData } from '../assistant/sse-reader.ts'

let chat: Chat
let user: ChatUser
let origin: string
beforeAll(async () => {
  chat = await startChat()
  await chat.app.listen({ host: '127.0.0.1', port: 0 })
  origin = `http://127.0.0.1:${(chat.app.server.address() as AddressInfo).port}`
})
afterAll(() => chat.stop())
beforeEach(async () => {
  user = await chat.makeUser()
})

/** Asks as a browser does, over a connection. */
function ask(
  content: string,
  { stream = true, signal, key = 'k' }: { stream?: boolean; signal?: AbortSignal; key?: string } = {},
) {
  return fetch(`${origin}/api/amara/chat`, {
    method: 'POST',
    headers: { ...user.headers, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ messages: [{ role: 'user', content }], stream }),
    ...(signal !== undefined && { signal }),
  })
}

/** The stream's events, one at a time, as `name` and what its data say. */
async function* eventsOf(response: Response): AsyncGenerator<[string, unknown]> {
  // The reader of the model's stream passes names over: each event is read by itself.
  let text = ''
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const one = text.slice(0, end + 2)
      text = text.slice(end + 2)
      const name = /^event: (\w+)$/m.exec(one)![1]!
      for await (const data of sseData(
        (async function* () {
          yield Buffer.from(one)
        })(),
      ))
        yield [name, JSON.parse(data)]
    }
  }
}
async function all(response: Response): Promise<[string, unknown][]> {
  const events: [string, unknown][] = []
  for await (const one of eventsOf(response)) events.push(one)
  return events
}
async function next(events: AsyncGenerator<[string, unknown]>): Promise<[string, unknown] | undefined> {
  return (await events.next()).value
}
async function requestOf() {
  const { rows } = await chat.database.pool.query(
    'select state, error_code, attempt from marketplace_internal.chat_requests where user_id = $1',
    [user.id],
  )
  return rows[0]
}

it('comes piece by piece, each as soon as the model gives it', async () => {
  const waiting: (() => void)[] = []
  const step = (): Promise<void> => new Promise((resolve) => waiting.push(resolve))
  const go = (): Promise<void> =>
    soon(() => {
      expect(waiting.length).toBe(1)
      waiting.pop()!()
    })
  chat.model.behave(async (response) => {
    await step()
    begin(response).write(event(chunk({ content: 'One ' })))
    await step()
    response.write(event(chunk({ content: 'two' })))
    await step()
    finish(response)
  })
  const response = await ask('Count')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const events = eventsOf(response)
  // The model has given nothing yet: what it did not send cannot have been waited for.
  const [name, { conversation_id }] = (await next(events)) as [string, { conversation_id: string }]
  expect(name).toBe('conversation')
  expect(await chat.stored(conversation_id)).toEqual(['user: Count'])
  await go()
  expect(await next(events)).toEqual(['delta', { content: 'One ' }])
  await go()
  expect(await next(events)).toEqual(['delta', { content: 'two' }])
  await go()
  const done = await next(events)
  expect(done).toEqual(['done', { conversation_id, message: expect.objectContaining({ content: 'One two' }) }])
  expect(await next(events)).toBeUndefined()
  // A retry gets the same, at once.
  expect(await all(await ask('Count'))).toEqual([
    ['conversation', { conversation_id }],
    ['delta', { content: 'One two' }],
    done,
  ])
})

it('tells what went wrong after it began as an event, and before it as any answer', async () => {
  chat.model.behave((response) => void begin(response).end(event(chunk({ content: 'Half' }))))
  const response = await ask('Hi')
  expect(await all(response)).toEqual([
    ['conversation', { conversation_id: expect.any(String) }],
    ['delta', { content: 'Half' }],
    ['error', { code: 'assistant_failed', message: expect.any(String), help: expect.any(String), retryable: true }],
  ])
  expect(await requestOf()).toEqual({ state: 'failed', error_code: 'cut', attempt: 1 })
  const conflict = await ask('Ho')
  expect(conflict.status).toBe(409)
  expect(await conflict.json()).toMatchObject({ code: 'idempotency_conflict' })
  chat.model.behave((response) => refuse(response, 401, 'Incorrect API key provided.', 'invalid_api_key'))
  expect((await all(await ask('Hi'))).map(([name]) => name)).toEqual(['conversation', 'error'])
})

it.each([
  ['a stream', true],
  ['JSON', false],
])('a caller of %s who leaves ends the model’s answer, and may ask the same again', async (_form, stream) => {
  const { givenUp } = chat.model
  const cancelled = (await chat.outcomes())['cancelled'] ?? 0
  const asked = chat.model.requests.length
  chat.model.behave((response) => void begin(response).write(event(chunk({ content: 'Half' }))))
  const leaving = new AbortController()
  const asking = ask('Hi', { stream, signal: leaving.signal })
  if (stream) await next(eventsOf(await asking))
  await soon(() => expect(chat.model.requests.length).toBe(asked + 1))
  leaving.abort()
  if (!stream) await expect(asking).rejects.toThrow()
  await soon(() => expect(chat.model.givenUp).toBe(givenUp + 1))
  await soon(async () => expect(await requestOf()).toEqual({ state: 'failed', error_code: 'cancelled', attempt: 1 }))
  expect((await chat.outcomes())['cancelled']).toBe(cancelled + 1)

  chat.model.behave((response) => answer(response, ['Whole']))
  const again = await ask('Hi', { stream: false })
  const { conversation_id, message } = (await again.json()) as { conversation_id: string; message: { content: string } }
  expect(message.content).toBe('Whole')
  expect(await chat.stored(conversation_id)).toEqual(['user: Hi', 'assistant: Whole'])
  expect(await requestOf()).toEqual({ state: 'answered', error_code: null, attempt: 2 })
})
