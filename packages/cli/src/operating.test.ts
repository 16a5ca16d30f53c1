import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from './run.ts'

let folder: string
let server: Server
let asked: { what: string; body: string }[]
/** What the query side answers, by method and path; what it really answers is its own tests' subject. */
let answers: Record<string, object>

beforeEach(async () => {
  asked = []
  answers = {}
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const what = `${request.method} ${request.url}`
    asked.push({ what, body })
    const found = answers[what]
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? { code: 'not_found', message: 'There is no dead letter.', help: 'Look.' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  folder = await mkdtemp(join(tmpdir(), 'platform-events-cli-'))
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

async function run(...args: string[]) {
  let [out, err] = ['', '']
  const { port } = server.address() as AddressInfo
  const code = await runCli(args, {
    env: { PLATFORM_EVENTS_URL: `http://127.0.0.1:${port}`, PLATFORM_EVENTS_TOKEN: 'op_x' },
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

const loss = {
  loss_id: 7,
  detected_at: '2026-11-24T09:30:00.000Z',
  topic: 'events',
  topic_partition: 2,
  reason: 'log_replaced',
  stored_offset: 100,
  resumed_offset: null,
  records_lost: null,
  acknowledged_by: 'token test',
}

const letter = {
  dead_letter_id: 5,
  topic: 'events',
  topic_partition: 0,
  record_offset: 24,
  line: 3,
  sqlstate: '54000',
  reason: 'refused',
  message: 'index row\u001b[2J',
  dead_at: '2026-11-24T09:30:00.000Z',
  resolution: null,
}

describe('losses', () => {
  it('lists them, with what is not known', async () => {
    answers = { 'GET /v1/losses': { losses: [loss] }, 'GET /v1/losses?all=true': { losses: [] } }
    const { code, out } = await run('losses')
    expect(code).toBe(0)
    expect(out).toMatch(/7 +2026-11-24T09:30:00.000Z +events\/2 +log_replaced +100 +- +unknown +token test/)
    expect((await run('losses', '--all')).out).toBe('No loss events.\n')
    expect(JSON.parse((await run('losses', '--json')).out)).toEqual({ losses: [loss] })
  })

  it('acknowledges several', async () => {
    answers = {
      'POST /v1/losses/7/acknowledge': { acknowledged: true, loss },
      'POST /v1/losses/8/acknowledge': { acknowledged: false, loss },
    }
    const { code, out } = await run('losses', 'acknowledge', '7', '8', '--note', 'seen', '--by', 'Ana')
    expect([code, out]).toEqual([0, '7  acknowledged by token test\n8  was acknowledged before by token test\n'])
    expect(JSON.parse(asked[0]!.body)).toEqual({ note: 'seen', by: 'Ana' })
  })
})

describe('dead', () => {
  it('lists a page, harmless to the terminal, and says how to get the next', async () => {
    answers = { 'GET /v1/dead-letters?all=true&reason=54000&limit=1': { dead_letters: [letter], next: 5 } }
    const { out } = await run('dead', '--reason', '54000', '--all', '--limit', '1')
    expect(out).toContain('events/0@24:3')
    expect(out).toContain('index row\\u001b[2J')
    expect(out).toContain('More: --before 5')
  })

  it('shows one in full, the line last', async () => {
    answers = {
      'GET /v1/dead-letters/5': { ...letter, raw: '{"a":"\u001b]0;x\u0007"}', raw_base64: null, mended: null },
    }
    const { out } = await run('dead', 'show', '5')
    expect(out).toMatch(/raw +\{"a":"\\u001b\]0;x\\u0007"\}\n$/)
    expect(out).not.toContain('mended')
  })

  it('mends with a line of the command or of a file, and says what is wrong with it', async () => {
    answers = { 'POST /v1/dead-letters/5/mend': { outcome: 'refused', message: '22023 id is not a UUID' } }
    expect(await run('dead', 'mend', '5', '{"id":1}')).toMatchObject({
      code: 1,
      out: '5  refused: 22023 id is not a UUID\n',
    })
    await writeFile(join(folder, 'line'), '{"id":2}\n')
    await run('dead', 'mend', '5', '--file', join(folder, 'line'), '--by', 'Ana')
    expect(asked.map(({ body }) => JSON.parse(body))).toEqual([{ line: '{"id":1}' }, { line: '{"id":2}', by: 'Ana' }])
    expect(await run('dead', 'mend', '5', '--file', join(folder, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be read'),
    })
    expect(await run('dead', 'mend', '5')).toMatchObject({ code: 1, err: expect.stringContaining('no line') })
  })

  it('replays and gives up several, one after the other', async () => {
    answers = {
      'POST /v1/dead-letters/5/replay': { outcome: 'replayed', message: null },
      'POST /v1/dead-letters/6/replay': { outcome: 'refused', message: 'no' },
      'POST /v1/dead-letters/5/give-up': {
        outcome: 'already_resolved',
        message: null,
        dead_letter: { resolution: 'given_up' },
      },
    }
    expect(await run('dead', 'replay', '5', '6')).toMatchObject({ code: 1, out: '5  replayed\n6  refused: no\n' })
    expect(await run('dead', 'give-up', '5', '--note', 'x')).toMatchObject({ code: 0, out: '5  already_resolved\n' })
    // Given up by somebody: whoever wanted it stored must learn that it is not.
    answers['POST /v1/dead-letters/5/replay'] = answers['POST /v1/dead-letters/5/give-up']!
    expect(await run('dead', 'replay', '5')).toMatchObject({ code: 1, out: '5  already_resolved\n' })
    expect(JSON.parse(asked[2]!.body)).toEqual({ note: 'x' })
    expect(await run('dead', 'replay', '9')).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no dead letter.'),
    })
  })

  it.each([[['show']], [['show', '1', '2']], [['replay']], [['replay', '1;2']], [['bury', '1']]])(
    '%j is not understood',
    async (words) => {
      expect((await run('dead', ...words)).code).toBe(1)
      expect(asked).toEqual([])
    },
  )
})
