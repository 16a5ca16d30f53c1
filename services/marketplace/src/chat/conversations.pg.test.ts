import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Chat, type ChatUser, startChat } from '../../../../test/support/chat.ts'
import { answer } from '../../../../test/support/model-server.ts'
import { soon } from '../../../../test/support/soon.ts'
import { undocumented } from '../../../../test/support/undocumented.ts'

let chat: Chat
let user: ChatUser
beforeAll(async () => {
  chat = await startChat()
})
afterAll(() => chat.stop())
beforeEach(async () => {
  user = await chat.makeUser()
  chat.model.behave((response) => answer(response, ['Hello']))
})

/** As the platform's own code may leave them: many in one moment. */
async function makeConversations(times: string[], of = user): Promise<void> {
  await chat.database.pool.query(
    'insert into public.amara_conversations (user_id, last_message_at) select $1, unnest($2::timestamptz[])',
    [of.id, times],
  )
}
async function makeMessages(conversationId: string, count: number): Promise<void> {
  await chat.database.pool.query(
    `insert into public.amara_messages (conversation_id, role, content, created_at)
     select $1, 'user', n::text, timestamptz '2026-01-01T00:00:00.000001Z' + (n / 3) * interval '1 microsecond'
     from generate_series(1, $2) as n`,
    [conversationId, count],
  )
}

/** Every page of a list, by its cursor. */
async function pages(path: string, list: 'conversations' | 'messages', cursor: 'before' | 'after', limit: number) {
  const found: { id: string; content?: string }[][] = []
  let next: string | null = ''
  while (next !== null) {
    const reply = await chat.get(user, `${path}?limit=${limit}${next === '' ? '' : `&${cursor}=${next}`}`)
    expect(reply.status).toBe(200)
    found.push(reply.body[list])
    next = reply.body.next
  }
  return found
}

const LIST = '/api/amara/conversations'
const send = (method: 'POST' | 'DELETE', path: string, of = user) =>
  chat.app.inject({ method, url: `${LIST}/${path}`, headers: of.headers })

describe('the list of conversations', () => {
  it('has the caller’s own, the one that moved last first', async () => {
    await makeConversations(['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.000002Z', '2026-03-01T12:00:00.000001Z'])
    await makeConversations(['2026-03-01T12:00:00Z'], await chat.makeUser())
    const { body } = await chat.get(user, LIST)
    expect(body.conversations.map((one: { last_message_at: string }) => one.last_message_at.slice(19, 26))).toEqual([
      '.000002',
      '.000001',
      '+00:00',
    ])
    expect(body.next).toBeNull()
  })

  it('comes page by page, none twice and none left out, also where many moved in the same moment', async () => {
    await makeConversations([...Array(5).fill('2026-03-01T12:00:00.123456Z'), '2026-03-01T12:00:00.123457Z'])
    const found = await pages(LIST, 'conversations', 'before', 2)
    expect(found.map((page) => page.length)).toEqual([2, 2, 2])
    expect(new Set(found.flat().map(({ id }) => id)).size).toBe(6)
    expect((await chat.get(await chat.makeUser(), LIST)).body).toEqual({ conversations: [], next: null })
  })

  it.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'before=x',
    `before=${btoa(`x ${randomUUID()}`)}`,
    'after=x',
    'limit=1&limit=2',
  ])('refuses ?%s', async (query) => {
    expect(await chat.get(user, `${LIST}?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_query' } })
  })
})

describe('the messages of a conversation', () => {
  it('come oldest first, page by page, none twice and none left out', async () => {
    await makeConversations(['2026-03-01T12:00:00Z'])
    const [{ id }] = (await chat.get(user, LIST)).body.conversations
    await makeMessages(id, 10)
    const found = await pages(`${LIST}/${id}/messages`, 'messages', 'after', 4)
    expect(found.map((page) => page.length)).toEqual([4, 4, 2])
    const numbers = found.flat().map(({ content }) => Math.floor(Number(content) / 3))
    expect(numbers).toEqual([0, 0, 1, 1, 1, 2, 2, 2, 3, 3])
    expect(new Set(found.flat().map(({ content }) => content)).size).toBe(10)
  })

  it('of what was just said are the same as in the answer', async () => {
    const { conversation_id, message: answer } = (await chat.ask(user, 'Hi')).body
    const { body } = await chat.get(user, `${LIST}/${conversation_id}/messages`)
    expect(body.messages).toHaveLength(2)
    expect(body.messages[1]).toEqual(answer)
  })
})

it('a conversation is closed, once and for all, and can still be read', async () => {
  const { conversation_id } = (await chat.ask(user, 'Hi')).body
  for (const _time of ['first', 'second']) {
    const closed = await send('POST', `${conversation_id}/close`)
    expect(closed.statusCode).toBe(200)
    expect(closed.json().conversation).toMatchObject({ id: conversation_id, is_active: false })
  }
  expect((await chat.get(user, `${LIST}/${conversation_id}/messages`)).body.messages).toHaveLength(2)
})

it('a conversation is deleted with its messages', async () => {
  const { conversation_id } = (await chat.ask(user, 'Hi')).body
  const deleted = await send('DELETE', conversation_id)
  expect([deleted.statusCode, deleted.body]).toEqual([204, ''])
  expect(await chat.stored(conversation_id)).toEqual([])
  expect((await send('DELETE', conversation_id)).statusCode).toBe(404)
})

describe('a conversation that is deleted while it is being answered', () => {
  it('stays deleted: the answer is not found', async () => {
    let letGo: () => void = () => undefined
    chat.model.behave(async (response) => {
      await new Promise<void>((resolve) => {
        letGo = resolve
      })
      answer(response, ['Too late'])
    })
    const asked = chat.model.requests.length
    const asking = chat.ask(user, 'Hi')
    await soon(() => expect(chat.model.requests.length).toBe(asked + 1))
    const [{ id }] = (await chat.get(user, LIST)).body.conversations
    expect((await send('DELETE', id)).statusCode).toBe(204)
    letGo()
    expect(await asking).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect((await chat.get(user, LIST)).body.conversations).toEqual([])
  })

  it('makes neither wait for the other without end', async () => {
    const { conversation_id } = (await chat.ask(user, 'Hi')).body
    const answering = await chat.database.pool.connect()
    try {
      // As an answer is stored: the request first, its conversation then.
      await answering.query('begin')
      await answering.query('select from marketplace_internal.chat_requests where user_id = $1 for update', [user.id])
      const deleting = send('DELETE', conversation_id)
      await soon(async () => {
        const { rows } = await chat.database.pool.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        expect(rows).toHaveLength(1)
      })
      await answering.query('select from public.amara_conversations where id = $1 for update', [conversation_id])
      await answering.query('commit')
      expect((await deleting).statusCode).toBe(204)
    } finally {
      answering.release()
    }
  })
})

it('another’s conversation is as one that is not there, whatever is wanted of it', async () => {
  const { conversation_id } = (await chat.ask(user, 'Mine')).body
  const other = await chat.makeUser()
  const answers = async (id: string) => [
    (await chat.get(other, `${LIST}/${id}/messages`)).body,
    (await send('POST', `${id}/close`, other)).json(),
    (await send('DELETE', id, other)).json(),
  ]
  const theirs = await answers(conversation_id)
  expect(theirs.map(({ code }) => code)).toEqual(['not_found', 'not_found', 'not_found'])
  expect(theirs).toEqual(await answers(randomUUID()))
  expect(theirs).toEqual(await answers('none'))
  const { rows } = await chat.database.pool.query('select is_active from public.amara_conversations where id = $1', [
    conversation_id,
  ])
  expect(rows).toEqual([{ is_active: true }])
  expect(await chat.stored(conversation_id)).toHaveLength(2)
})

it('nobody reads without signing in', async () => {
  for (const path of ['', '/x/messages'])
    expect((await chat.app.inject(`${LIST}${path}`)).json()).toMatchObject({ code: 'sign_in_required' })
})

it('all of them answer as the OpenAPI document says', async () => {
  const begun = await chat.ask(user, 'Hi')
  const id = begun.body.conversation_id
  const reply = async (method: 'POST' | 'DELETE', path: string) => {
    const answer = await send(method, path)
    return { status: answer.statusCode, body: answer.body === '' ? '' : answer.json() }
  }
  const wrong = [
    undocumented('POST', '/api/amara/chat', begun),
    undocumented('POST', '/api/amara/chat', await chat.ask(user, { messages: [] })),
    undocumented('GET', LIST, await chat.get(user, LIST)),
    undocumented('GET', LIST, await chat.get(user, `${LIST}?limit=x`)),
    undocumented('GET', `${LIST}/{id}/messages`, await chat.get(user, `${LIST}/${id}/messages`)),
    undocumented('GET', `${LIST}/{id}/messages`, await chat.get(user, `${LIST}/${randomUUID()}/messages`)),
    undocumented('POST', `${LIST}/{id}/close`, await reply('POST', `${id}/close`)),
    undocumented('DELETE', `${LIST}/{id}`, await reply('DELETE', id)),
    undocumented('DELETE', `${LIST}/{id}`, await reply('DELETE', id)),
  ]
  expect(wrong.flat()).toEqual([])
})
