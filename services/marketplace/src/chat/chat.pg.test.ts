import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Chat, type ChatUser, startChat } from '../../../../test/support/chat.ts'
import { answer, begin, chunk, event, finish, USAGE } from '../../../../test/support/model-server.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import { soon } from '../../../../test/support/soon.ts'

let chat: Chat
let user: ChatUser
beforeAll(async () => {
  chat = await startChat()
})
afterAll(() => chat.stop())
beforeEach(async () => {
  user = await chat.makeUser()
  chat.model.behave((response, { messages }) => answer(response, ['You said: ', messages.at(-1)!.content]))
})

const asked = () => chat.model.requests.at(-1)!.body.messages.slice(1)
const question = (content: string) => ({ role: 'user', content })
const conversationOf = async (id: string) =>
  (await chat.database.pool.query('select * from public.amara_conversations where id = $1', [id])).rows[0]

describe('a conversation', () => {
  it('begins with the first question, and has both messages, and when the last of them came', async () => {
    const { status, body } = await chat.ask(user, { messages: [question('Hola')], locale: 'es' })
    expect(status).toBe(200)
    expect(body).toEqual({
      conversation_id: expect.any(String),
      message: {
        id: expect.any(String),
        role: 'assistant',
        content: 'You said: Hola',
        tool_calls: null,
        metadata: {
          model: 'gpt-4o-mini-2024-07-18',
          usage: USAGE,
          timestamp: expect.any(String),
          latency_ms: expect.any(Number),
          finish_reason: 'stop',
        },
        created_at: expect.any(String),
      },
    })
    expect(await chat.stored(body.conversation_id)).toEqual(['user: Hola', 'assistant: You said: Hola'])
    const { rows } = await chat.database.pool.query(
      `select c.user_id, c.locale, c.is_active, c.last_message_at = (select max(created_at) from public.amara_messages m where m.conversation_id = c.id) as current
       from public.amara_conversations c where id = $1`,
      [body.conversation_id],
    )
    expect(rows).toEqual([{ user_id: user.id, locale: 'es', is_active: true, current: true }])
  })

  it('goes on, whatever part of it is sent again, and the model gets all of it', async () => {
    const first = await chat.ask(user, 'One')
    const { conversation_id } = first.body
    await chat.ask(user, { conversation_id, messages: [question('Two')] })
    const history = [question('One'), { role: 'assistant', content: 'You said: One' }, question('Two')]
    expect(asked()).toEqual(history)
    const said = [...history, { role: 'assistant', content: 'You said: Two' }, question('Three'), question('Four')]
    await chat.ask(user, { conversation_id, messages: said })
    expect(asked()).toEqual(said)
    expect(await chat.stored(conversation_id)).toEqual([
      ...said.map(({ role, content }) => `${role}: ${content}`),
      'assistant: You said: Four',
    ])
  })

  it('goes on when all of it is sent again, however long it is, and of a long beginning the end is kept', async () => {
    const said = Array.from({ length: 35 }, (_, n) => [
      question(`Q${n}`),
      { role: 'assistant', content: `A${n}`.padEnd(2000, 'x') },
    ]).flat()
    const first = await chat.ask(user, { messages: [...said, question('First')] })
    expect(first.status).toBe(200)
    const { conversation_id } = first.body
    const kept = await chat.stored(conversation_id)
    expect(kept).toHaveLength(51)
    expect(kept.slice(-3)).toEqual([`assistant: ${said.at(-1)!.content}`, 'user: First', 'assistant: You said: First'])
    // The answer was never seen: it is known all the same that the question is stored.
    const second = await chat.ask(user, { conversation_id, messages: [...said, question('First'), question('Second')] })
    expect(second.status).toBe(200)
    expect((await chat.stored(conversation_id)).slice(51)).toEqual(['user: Second', 'assistant: You said: Second'])
  })

  it('takes fifty new messages at once, and not one more', async () => {
    const { conversation_id } = (await chat.ask(user, 'One')).body
    const more = (count: number) => ({
      conversation_id,
      messages: Array.from({ length: count }, (_, n) => question(`${n}`)),
    })
    const refused = await chat.ask(user, more(51))
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'invalid_query', message: expect.stringContaining('51 of them are new') },
    })
    expect((await chat.ask(user, more(50))).status).toBe(200)
    expect(await chat.stored(conversation_id)).toHaveLength(53)
  })

  it('that begins brings its own history, such as the page’s greeting', async () => {
    const messages = [{ role: 'assistant', content: 'Hi, I am Amara.' }, question('Hello')]
    const { body } = await chat.ask(user, { messages })
    expect(await chat.stored(body.conversation_id)).toEqual([
      'assistant: Hi, I am Amara.',
      'user: Hello',
      'assistant: You said: Hello',
    ])
  })

  it('keeps its language until another is asked for', async () => {
    const { conversation_id } = (await chat.ask(user, { messages: [question('Hola')], locale: 'es' })).body
    const languageAsked = () => chat.model.requests.at(-1)!.body.messages[0]!.content.match(/in (English|Spanish)/)![1]
    await chat.ask(user, { conversation_id, messages: [question('Otra')] })
    expect(languageAsked()).toBe('Spanish')
    await chat.ask(user, { conversation_id, messages: [question('More')], locale: 'en' })
    expect(languageAsked()).toBe('English')
    expect((await conversationOf(conversation_id)).locale).toBe('en')
    expect((await chat.ask(user, 'A new one')).status).toBe(200)
    expect(languageAsked()).toBe('English')
  })

  it('takes a thousand messages, also where several come at once', async () => {
    const { conversation_id } = (await chat.ask(user, 'One')).body
    await chat.database.pool.query(
      `insert into public.amara_messages (conversation_id, role, content) select $1, 'user', 'x' from generate_series(3, 998)`,
      [conversation_id],
    )
    // They all wait for the conversation, and then go on in the same moment.
    const holder = await chat.database.pool.connect()
    await holder.query('begin')
    await holder.query('select from public.amara_conversations where id = $1 for update', [conversation_id])
    const asking = ['1', '2', '3', '4', '5'].map((text) =>
      chat.ask(user, { conversation_id, messages: [question(text)] }),
    )
    await soon(async () => {
      const { rows } = await chat.database.pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      expect(rows).toHaveLength(5)
    })
    await holder.query('commit')
    holder.release()
    const replies = await Promise.all(asking)
    const full = replies.filter(({ status }) => status === 409)
    expect(full.map(({ body }) => [body.code, body.retryable])).toEqual(Array(4).fill(['conversation_full', false]))
    expect(await chat.stored(conversation_id)).toHaveLength(1000)
  })

  it('takes no more when it is closed', async () => {
    const { conversation_id } = (await chat.ask(user, 'One')).body
    await chat.database.pool.query('update public.amara_conversations set is_active = false where id = $1', [
      conversation_id,
    ])
    const closed = await chat.ask(user, { conversation_id, messages: [question('One more')] })
    expect(closed).toMatchObject({ status: 409, body: { code: 'conversation_closed' } })
  })

  it('of another user is as one that is not there', async () => {
    const { conversation_id } = (await chat.ask(user, 'Mine')).body
    const other = await chat.makeUser()
    const [theirs, none] = await Promise.all(
      [conversation_id, randomUUID()].map((id) => chat.ask(other, { conversation_id: id, messages: [question('?')] })),
    )
    expect(theirs).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(theirs!.body).toEqual(none!.body)
    expect(await chat.stored(conversation_id)).toHaveLength(2)
  })

  it('stores what was said at once in both, in one order', async () => {
    const { conversation_id } = (await chat.ask(user, 'One')).body
    const questions = ['Two', 'Three', 'Four', 'Five']
    const answers = await Promise.all(
      questions.map((text) => chat.ask(user, { conversation_id, messages: [question(text)] })),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const stored = await chat.stored(conversation_id)
    expect(stored.toSorted()).toEqual(
      ['One', ...questions].flatMap((text) => [`user: ${text}`, `assistant: You said: ${text}`]).toSorted(),
    )
    for (const text of questions)
      expect(stored.indexOf(`user: ${text}`)).toBeLessThan(stored.indexOf(`assistant: You said: ${text}`))
  })
})

it('keeps the tool calls of an answer', async () => {
  const call = {
    index: 0,
    id: 'call_1',
    type: 'function',
    function: { name: 'find_pros', arguments: '{"city":"Cali"}' },
  }
  chat.model.behave((response) => {
    begin(response).write(event(chunk({ tool_calls: [call] })))
    finish(response, 'tool_calls')
  })
  const { body } = await chat.ask(user, 'Who is free?')
  const { index: _, ...kept } = call
  expect(body.message).toMatchObject({ content: '', tool_calls: [kept], metadata: { finish_reason: 'tool_calls' } })
  const { rows } = await chat.database.pool.query('select tool_calls from public.amara_messages where id = $1', [
    body.message.id,
  ])
  expect(rows).toEqual([{ tool_calls: [kept] }])
  // A model refuses a history of empty messages.
  const next = await chat.ask(user, { conversation_id: body.conversation_id, messages: [question('And now?')] })
  expect(next.status).toBe(200)
})

it('takes NUL characters from what is written, and puts U+FFFD for a lone surrogate', async () => {
  const { body } = await chat.ask(user, 'a\0b\ud800c')
  expect(await chat.stored(body.conversation_id)).toEqual(['user: ab\ufffdc', 'assistant: You said: ab\ufffdc'])
})

describe('refuses', () => {
  it.each<[string, unknown, string]>([
    ['no messages', { messages: [] }, 'messages: '],
    ['an empty message', { messages: [question('')] }, 'messages.0.content: '],
    ['a message of a NUL', { messages: [question('\0')] }, 'messages.0.content: '],
    ['a blank message', { messages: [question(' \n')] }, 'wants more than blanks'],
    ['8,001 characters', { messages: [question('x'.repeat(8001))] }, 'messages.0.content: '],
    [
      'a message of the system',
      { messages: [{ role: 'system', content: 'Obey' }, question('x')] },
      'messages.0.role: ',
    ],
    ['an answer as the last', { messages: [{ role: 'assistant', content: 'x' }] }, 'must be the user’s'],
    ['an unknown language', { messages: [question('x')], locale: 'fr' }, 'locale: '],
    ['no id of a conversation', { messages: [question('x')], conversation_id: '7' }, 'conversation_id: '],
    ['a field that is not known', { messages: [question('x')], conversationId: 'x' }, 'unknown fields: conversationId'],
    ['no object', [], 'the request: '],
  ])('%s', async (_what, payload, message) => {
    const refused = await chat.ask(user, payload as object)
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_query' } })
    expect(refused.body.message).toContain(message)
  })

  it('a key of blanks, and one that is too long', async () => {
    for (const key of ['a b', 'x'.repeat(201), 'ñ'])
      expect(await chat.ask(user, 'Hi', { 'idempotency-key': key })).toMatchObject({
        status: 400,
        body: { code: 'invalid_query', message: expect.stringMatching(/Idempotency-Key/) },
      })
  })

  it('what is no JSON, and what is larger than 256 KB', async () => {
    const send = (payload: string) =>
      chat.app.inject({ method: 'POST', url: '/api/amara/chat', headers: user.headers, payload })
    expect((await send('{')).json()).toMatchObject({ code: 'invalid_json' })
    const large = JSON.stringify({ messages: Array.from({ length: 33 }, () => question('x'.repeat(8000))) })
    expect((await send(large)).json()).toMatchObject({ code: 'payload_too_large' })
  })

  it('whoever is not signed in, before it reads what they sent', async () => {
    const tokens = [
      '',
      'Bearer x',
      `Bearer ${platformToken({ role: 'anon' })}`,
      `Bearer ${platformToken({ sub: user.id, exp: 1 })}`,
    ]
    for (const authorization of tokens)
      expect(await chat.ask({ id: '', headers: { authorization } }, [])).toMatchObject({
        status: 401,
        body: { code: 'sign_in_required' },
      })
  })

  it('a user whom the platform has no more', async () => {
    await chat.database.pool.query('delete from auth.users where id = $1', [user.id])
    expect(await chat.ask(user, 'Hi')).toMatchObject({ status: 401, body: { code: 'sign_in_required' } })
  })

  it('the 21st request of a user within a minute, and of nobody else', async () => {
    const other = await chat.makeUser()
    const answers = await Promise.all(Array.from({ length: 21 }, () => chat.ask(user, {})))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(20).fill(400), 429])
    const refused = await chat.ask(user, {})
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', retryable: true } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect((await chat.ask(other, {})).status).toBe(400)
  })
})
