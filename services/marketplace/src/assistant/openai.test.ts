import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  answer,
  type Behaviour,
  begin,
  chunk,
  event,
  finish,
  type ModelServer,
  refuse,
  startModelServer,
  USAGE,
} from '../../../../test/support/model-server.ts'
import { soon } from '../../../../test/support/soon.ts'
import { type AssistantAnswer, AssistantError, type AssistantErrorKind } from './assistant.ts'
import { openAiAssistant } from './openai.ts'

let server: ModelServer
beforeAll(async () => {
  server = await startModelServer('sk-test')
})
afterAll(() => server.stop())

async function ask(
  behaviour: Behaviour,
  { signal = new AbortController().signal, apiKey = 'sk-test', url = server.url } = {},
): Promise<{ answer: AssistantAnswer; deltas: string[] }> {
  server.behave(behaviour)
  const deltas: string[] = []
  const assistant = openAiAssistant({ url, model: 'gpt-4o-mini', apiKey, timeoutMs: 1000 })
  const question = { messages: [{ role: 'user' as const, content: '¿Cuánto cuesta?' }], locale: 'es' as const, signal }
  return { answer: await assistant.answer(question, (content) => deltas.push(content)), deltas }
}

it('asks for a stream with its usage, in the user’s language, and puts the pieces together', async () => {
  const told = await ask((response) => answer(response, ['Desde ', '$90.000', ' 👷']))
  expect(told.deltas).toEqual(['Desde ', '$90.000', ' 👷'])
  expect(told.answer).toEqual({
    content: 'Desde $90.000 👷',
    toolCalls: null,
    model: 'gpt-4o-mini-2024-07-18',
    usage: USAGE,
    finishReason: 'stop',
  })
  const { body, headers } = server.requests.at(-1)!
  expect(headers).toMatchObject({ authorization: 'Bearer sk-test', 'content-type': 'application/json' })
  expect(body).toMatchObject({ model: 'gpt-4o-mini', stream: true, stream_options: { include_usage: true } })
  expect(body.messages).toEqual([
    { role: 'system', content: expect.stringMatching(/Amara.*in Spanish/) },
    { role: 'user', content: '¿Cuánto cuesta?' },
  ])
})

it('puts the parts of tool calls together, each by its index', async () => {
  const call = (index: number, part: object) => event(chunk({ tool_calls: [{ index, ...part }] }))
  const told = await ask((response) => {
    begin(response)
    response.write(call(0, { id: 'call_a', type: 'function', function: { name: 'find_pros', arguments: '' } }))
    response.write(call(0, { function: { arguments: '{"city":' } }))
    response.write(call(1, { id: 'call_b', type: 'function', function: { name: 'prices', arguments: '{}' } }))
    response.write(call(0, { function: { arguments: '"Cali"}' } }))
    finish(response, 'tool_calls')
  })
  expect(told).toMatchObject({ deltas: [], answer: { content: '', finishReason: 'tool_calls' } })
  expect(told.answer.toolCalls).toEqual([
    { id: 'call_a', type: 'function', function: { name: 'find_pros', arguments: '{"city":"Cali"}' } },
    { id: 'call_b', type: 'function', function: { name: 'prices', arguments: '{}' } },
  ])
})

it('takes from a model’s text what Postgres would refuse', async () => {
  const told = await ask((response) => {
    begin(response)
    response.write('data: {"choices":[{"delta":{"content":"a\\u0000b\\ud800c"}}]}\n\n')
    finish(response)
  })
  expect(told.answer.content).toBe('ab\ufffdc')
})

it('cuts an answer at 16,000 characters, between two of them, and asks for no more', async () => {
  const { givenUp } = server
  const told = await ask(
    (response) =>
      void begin(response).write(event(chunk({ content: 'x' })) + event(chunk({ content: '👷'.repeat(9000) }))),
  )
  expect(told.answer).toMatchObject({ content: `x${'👷'.repeat(7999)}`, finishReason: 'length' })
  expect(told.deltas.join('')).toBe(told.answer.content)
  await soon(() => expect(server.givenUp).toBe(givenUp + 1))
  const whole = await ask((response) => answer(response, ['x'.repeat(9000), 'x'.repeat(7000)]))
  expect(whole.answer).toMatchObject({ content: 'x'.repeat(16_000), finishReason: 'stop', usage: USAGE })
})

describe('a stream', () => {
  const text = [
    'data: {"choices":[{"delta":{"content":"Olá "}}]}',
    'data: {"choices":[{"delta":{"content":"mañana 👷"}}]}',
    'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}',
  ]
  const send = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' })
  const forms: Record<string, string> = {
    'with CRLF': `${text.join('\r\n\r\n')}\r\n\r\ndata: [DONE]\r\n\r\n`,
    'with CRLF and data of two lines': `${text.join('\r\n\r\n').replaceAll('{"choices":', '{"choices":\r\ndata: ')}\r\n\r\n`,
    'with CR': `${text.join('\r\r')}\r\rdata: [DONE]\r\r`,
    'with comments, ids, retries and a byte order mark': `\ufeff: hello\n\nid: 1\nevent: message\n${text.join('\n: still here\n\n')}\nretry: 10\n\ndata: [DONE]\n\n`,
    'without blanks behind data:': `${text.join('\n\n').replaceAll('data: ', 'data:')}\n\ndata:[DONE]\n\n`,
    'without [DONE]': `${text.join('\n\n')}\n\n`,
    'without [DONE] and the last empty line': text.join('\n\n'),
  }
  it.each(Object.entries(forms))('%s is understood, also byte by byte', async (_name, form) => {
    const whole = await ask((response) => void send(response).end(form))
    expect(whole.answer).toMatchObject({ content: 'Olá mañana 👷', model: 'gpt-4o-mini', usage: null })
    const split = await ask(async (response) => {
      send(response)
      for (const byte of Buffer.from(form)) {
        response.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    })
    expect(split).toEqual(whole)
  })
})

describe('what goes wrong is one AssistantError, of the kind', () => {
  const failures: [AssistantErrorKind, string, Behaviour][] = [
    ['status', 'too many requests', (response) => refuse(response, 429, 'Rate limit reached', 'rate_limit_exceeded')],
    ['status', 'a server’s fault', (response) => refuse(response, 500, 'The server had an error', null)],
    ['status', 'no content', (response) => void response.writeHead(204).end()],
    [
      'content_type',
      'a page of a proxy',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    ],
    [
      'content_type',
      'an answer that is no stream',
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    ],
    ['unreachable', 'a redirect', (response) => void response.writeHead(307, { location: '/v2' }).end()],
    ['invalid', 'broken JSON', (response) => void begin(response).end('data: {"choices":[{"del\n\n')],
    ['invalid', 'another form', (response) => void begin(response).end('data: {"choices":"none"}\n\n')],
    [
      'refused',
      'an error within the stream',
      (response) => void begin(response).end(event({ error: { message: 'overloaded' } })),
    ],
    ['cut', 'a stream that ends too early', (response) => void begin(response).end(event(chunk({ content: 'Half' })))],
    [
      'cut',
      'a connection that breaks',
      (response) => void begin(response).write(event(chunk({ content: 'Half' })), () => response.destroy()),
    ],
    ['empty', 'an answer of nothing', (response) => answer(response, [])],
    [
      'too_large',
      'a stream without end',
      (response) => {
        begin(response)
        const more = (): void => {
          while (!response.destroyed && response.write(`: ${'x'.repeat(65_536)}\n\n`));
        }
        response.on('drain', more)
        more()
      },
    ],
  ]
  it.each(failures)('%s: %s', async (kind, _what, behaviour) => {
    const error = await ask(behaviour).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AssistantError)
    expect(error).toMatchObject({ kind })
  })

  it('unreachable: nobody listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await soon(() => expect(closed.listening).toBe(true))
    const { port } = closed.address() as { port: number }
    await new Promise((resolve) => closed.close(resolve))
    const error = await ask(() => undefined, { url: `http://127.0.0.1:${port}/v1` }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'AssistantError', kind: 'unreachable' })
  })

  it('status: a wrong key, told without the key', async () => {
    const error = await ask(() => undefined, { apiKey: 'sk-other' }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind: 'status', message: expect.stringMatching(/401.*Incorrect API key/) })
    expect(String(error)).not.toContain('sk-other')
  })

  it.each([
    ['before its head', () => undefined],
    ['within its answer', (response: ServerResponse) => void begin(response).write(event(chunk({ content: 'Half' })))],
  ])('the reason of the signal, %s, and the server sees its connection close', async (_when, behaviour) => {
    const { givenUp } = server
    const asked = server.requests.length
    const ending = new AbortController()
    const asking = ask(behaviour, { signal: ending.signal })
    const reason = new AssistantError('timeout', 'over')
    const ended = expect(asking).rejects.toBe(reason)
    await soon(() => expect(server.requests.length).toBe(asked + 1))
    ending.abort(reason)
    await ended
    await soon(() => expect(server.givenUp).toBe(givenUp + 1))
  })
})
