import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run.ts'

let dataDir: string
let server: Server
let url: string
/** How the next requests are answered; what the query service answers itself is its own tests' subject. */
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void
let asked: { method: string; url: string; authorization: string | undefined; body: string }[]

beforeEach(async () => {
  asked = []
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    asked.push({ method: request.method!, url: request.url!, authorization: request.headers.authorization, body })
    answer(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  dataDir = await mkdtemp(join(tmpdir(), 'platform-events-cli-'))
  await writeFile(join(dataDir, 'access.json'), JSON.stringify({ url, operator_token: 'op_x' }))
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(dataDir, { recursive: true })
})

async function run(args: string[], env: Record<string, string> = { DATA_DIR: dataDir }) {
  let [out, err] = ['', '']
  const code = await runCli(args, {
    env,
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    columns: 100,
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

const json = (body: unknown, status = 200) => {
  answer = (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

describe('what is not understood', () => {
  it.each([['nope'], ['toString'], ['counts', '--nope'], ['funnel', '--window']])(
    '%s %s is 2, with what to try',
    async (...args) => {
      const { code, err } = await run(args.filter((arg) => arg !== undefined))
      expect(code).toBe(2)
      expect(err).toMatch(/Try: npx platform-events help/)
    },
  )

  it('helps, in whole and by verb', async () => {
    for (const args of [[], ['help'], ['--help']]) expect((await run(args)).out).toContain('retention')
    for (const args of [
      ['help', 'funnel'],
      ['funnel', '--help'],
    ])
      expect((await run(args)).out).toContain('--window')
  })
})

describe('asking the query side', () => {
  it('asks nobody where DATABASE_URL and access.json are of two installations', async () => {
    await writeFile(
      join(dataDir, 'access.json'),
      JSON.stringify({ url, operator_token: 'op_x', database_url: 'postgres://laptop/postgres' }),
    )
    const elsewhere = { DATA_DIR: dataDir, DATABASE_URL: 'postgres://production/postgres' }
    expect(await run(['losses'], elsewhere)).toMatchObject({
      code: 1,
      err: expect.stringContaining('another installation than DATABASE_URL'),
    })
    expect(asked).toEqual([])
    json({ losses: [] })
    expect((await run(['losses', '--url', url, '--token', 'op_y'], elsewhere)).code).toBe(0)
  })

  it('counts, as a table and as JSON, with the token of access.json', async () => {
    const body = { counts: [{ event_type: 'SearchStarted', event_count: 1234 }], from: 'a', to: 'b' }
    json(body)
    expect((await run(['counts', '--from', '2026-01-01'])).out).toMatch(/SearchStarted +1,234/)
    expect(asked[0]).toMatchObject({ url: '/v1/counts?from=2026-01-01', authorization: 'Bearer op_x' })
    expect(JSON.parse((await run(['counts', '--json'])).out)).toEqual(body)
  })

  it('asks a funnel, with a period so long ago', async () => {
    json({
      steps: [{ step: 1, event_type: 'A', actors: 1, from_previous: 1, from_first: 1 }],
      from: '',
      to: '',
      window: 'P1D',
    })
    const { code, out } = await run(['funnel', 'A', 'B', '--window', 'P1D', '--from', '24h'])
    expect([code, out]).toEqual([0, expect.stringContaining('1 A')])
    const body = JSON.parse(asked[0]!.body)
    expect(body).toMatchObject({ steps: ['A', 'B'], window: 'P1D' })
    expect(Date.now() - Date.parse(body.from)).toBeLessThan(86_400_000 + 60_000)
  })

  it('says what the server said, and how to go on', async () => {
    json({ code: 'invalid_query', message: 'from: wants …', help: 'See /openapi.json' }, 400)
    const { code, err } = await run(['counts'])
    expect([code, err]).toEqual([1, 'platform-events: 400 invalid_query: from: wants …\nSee /openapi.json\n'])
  })

  it('says that nothing answers, or that nothing says where to ask', async () => {
    expect(await run(['counts', '--url', 'http://127.0.0.1:1'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('npm start'),
    })
    const nowhere = await run(['counts'], { DATA_DIR: join(dataDir, 'none') })
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('does not say where to ask') })
    expect(await run(['sql', 'select 1'], { DATA_DIR: dataDir })).toMatchObject({
      code: 1,
      err: expect.stringContaining('DATABASE_URL'),
    })
  })

  it('tails, goes on after a lost stream, and ends after so many events', async () => {
    let times = 0
    answer = (request, response) => {
      times++
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (times === 1) response.end(`: live\n\nevent: event\nid: one\ndata: ${event('One')}\n\n`)
      else {
        expect(request.headers['last-event-id']).toBe('one')
        response.write(`event: event\nid: two\ndata: ${event('Two')}\n\n`)
      }
    }
    const { code, out } = await run(['tail', '--events', '2', '--type', 'A b'])
    expect(code).toBe(0)
    expect(out).toMatch(/One.*\n.*Two/)
    expect(asked[0]!.url).toBe('/v1/events/tail?event_type=A+b')
  })
})

const event = (event_type: string) =>
  JSON.stringify({ event_type, user_id: null, session_id: 's', properties: {}, created_at: '2026-11-24T09:30:00.123Z' })
