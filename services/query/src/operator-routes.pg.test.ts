import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startTestQuery } from '../../../test/support/query.ts'
import { rollupDifferences } from '../../../test/support/rollup.ts'

let database: TestDatabase
let app: FastifyInstance
let bearer: { authorization: string }

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool, {
    verifyJwt: async () => ({ userId: undefined, role: 'service_role' }),
  })
  app = started.app
  bearer = started.bearer
})

beforeEach(async () => {
  await database.pool.query('truncate events_internal.loss_events, events_internal.dead_letters')
})

afterAll(async () => {
  await app.close()
  await database.drop()
})

async function ask(method: 'GET' | 'POST', url: string, body?: object) {
  const answer = await app.inject({ method, url, headers: bearer, ...(body === undefined ? {} : { payload: body }) })
  return { status: answer.statusCode, body: answer.json() }
}

async function loss(stored: number): Promise<number> {
  const { rows } = await database.pool.query(
    `insert into events_internal.loss_events (log_id, topic, topic_partition, reason, stored_offset, resumed_offset, records_lost)
     values ('log', 'events', 2, 'overtaken', $1::bigint, $1::bigint + 5, 5) returning loss_id::int as id`,
    [stored],
  )
  return rows[0].id
}

let offset = 0
async function dead(raw: string | Buffer, reason = 'refused', sqlstate: string | null = '54000'): Promise<number> {
  const { rows } = await database.pool.query(
    `insert into events_internal.dead_letters
       (source_id, log_id, topic, topic_partition, record_offset, line, sqlstate, reason, message, raw, received_at)
     values (3, 'log', 'events', 0, $1, 0, $2, $3, 'no', $4, now()) returning dead_letter_id::int as id`,
    [offset++, sqlstate, reason, Buffer.from(raw as string)],
  )
  return rows[0].id
}

const event = () => ({ id: randomUUID(), event_type: 'A', session_id: 's', created_at: new Date().toISOString() })

describe('loss events', () => {
  it('are listed until acknowledged, which the first does, in the name of their token', async () => {
    const id = await loss(100)
    const other = await loss(200)
    const listed = await ask('GET', '/v1/losses')
    expect(listed).toMatchObject({ status: 200, body: { losses: [{ loss_id: other }, { loss_id: id }] } })
    expect(listed.body.losses[1]).toMatchObject({
      stored_offset: 100,
      resumed_offset: 105,
      records_lost: 5,
      acknowledged_at: null,
    })

    const first = await ask('POST', `/v1/losses/${id}/acknowledge`, { by: 'Ana', note: 'was a test' })
    expect(first.body).toMatchObject({
      acknowledged: true,
      loss: { acknowledged_by: 'Ana (token test)', note: 'was a test', acknowledged_at: expect.any(String) },
    })
    const second = await ask('POST', `/v1/losses/${id}/acknowledge`)
    expect(second.body).toEqual({ acknowledged: false, loss: first.body.loss })

    expect((await ask('GET', '/v1/losses')).body.losses).toMatchObject([{ loss_id: other }])
    expect((await ask('GET', '/v1/losses?all=true')).body.losses).toHaveLength(2)
    expect(await ask('POST', '/v1/losses/999999/acknowledge', {})).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
  })
})

describe('dead letters', () => {
  it('are listed by pages, by reason or SQLSTATE, those that are open', async () => {
    const ids = [
      await dead('a'),
      await dead('b', 'not_an_event', null),
      await dead('c', 'refused', '22003'),
      await dead('d'),
    ]
    const page = await ask('GET', '/v1/dead-letters?limit=3')
    expect(page.body).toMatchObject({
      next: ids[1],
      dead_letters: [{ dead_letter_id: ids[3] }, { dead_letter_id: ids[2] }, { dead_letter_id: ids[1] }],
    })
    expect(page.body.dead_letters[0]).not.toHaveProperty('raw')
    expect((await ask('GET', `/v1/dead-letters?limit=3&before=${ids[1]}`)).body).toMatchObject({
      next: null,
      dead_letters: [{ dead_letter_id: ids[0] }],
    })
    const only = async (query: string) =>
      (await ask('GET', `/v1/dead-letters?${query}`)).body.dead_letters.map(
        (letter: { dead_letter_id: number }) => letter.dead_letter_id,
      )
    expect(await only('reason=not_an_event')).toEqual([ids[1]])
    expect(await only('reason=22003')).toEqual([ids[2]])
    await ask('POST', `/v1/dead-letters/${ids[3]}/give-up`, { note: 'x' })
    expect(await only('reason=54000')).toEqual([ids[0]])
    expect(await only('reason=54000&all=true')).toEqual([ids[3], ids[0]])
    expect((await ask('GET', '/v1/dead-letters?limit=0')).status).toBe(400)
  })

  it('show their bytes as text, and all of them where text cannot', async () => {
    const id = await dead('{"a":"Bogotá \u202e"}')
    expect((await ask('GET', `/v1/dead-letters/${id}`)).body).toMatchObject({
      raw: '{"a":"Bogotá \u202e"}',
      raw_base64: null,
    })
    const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x7d])
    const broken = await dead(bytes)
    expect((await ask('GET', `/v1/dead-letters/${broken}`)).body).toMatchObject({
      raw: '{\ufffd\0}',
      raw_base64: bytes.toString('base64'),
    })
    expect((await ask('GET', '/v1/dead-letters/999999')).status).toBe(404)
    expect((await ask('GET', '/v1/dead-letters/-1')).status).toBe(404)
  })

  it('are mended, replayed once however often asked, and say who did it', async () => {
    const good = event()
    const id = await dead(JSON.stringify({ ...good, event_type: 7 }))
    expect((await ask('POST', `/v1/dead-letters/${id}/replay`)).body).toMatchObject({
      outcome: 'refused',
      message: '22023 event_type is not a name',
      dead_letter: { resolved_at: null },
    })
    const mended = await ask('POST', `/v1/dead-letters/${id}/mend`, { line: JSON.stringify(good), by: 'Ana' })
    expect(mended.body).toMatchObject({
      outcome: 'mended',
      dead_letter: { mended: JSON.stringify(good), mended_by: 'Ana (token test)' },
    })
    const replayed = await ask('POST', `/v1/dead-letters/${id}/replay`)
    expect(replayed.body).toMatchObject({
      outcome: 'replayed',
      dead_letter: { resolution: 'replayed', resolved_by: 'token test' },
    })
    expect((await ask('POST', `/v1/dead-letters/${id}/replay`)).body).toMatchObject({ outcome: 'already_resolved' })
    const { rows } = await database.pool.query('select source_id, event_type from public.platform_events')
    expect(rows).toEqual([{ source_id: 3, event_type: 'A' }])
    expect(await rollupDifferences(database.pool)).toEqual([])
  })

  it.each([
    ['no line', {}],
    ['two lines', { line: '{}\n{}' }],
    ['a NUL', { line: '{}\0' }],
    ['a note that is empty', { line: '{}', by: ' ' }],
    ['an unknown field', { line: '{}', id: 7 }],
  ])('are not mended with %s', async (_, body) => {
    const id = await dead('x')
    expect(await ask('POST', `/v1/dead-letters/${id}/mend`, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_query' },
    })
  })
})

it.each([
  ['GET', '/v1/losses'],
  ['POST', '/v1/losses/1/acknowledge'],
  ['GET', '/v1/dead-letters'],
  ['GET', '/v1/dead-letters/1'],
  ['POST', '/v1/dead-letters/1/mend'],
  ['POST', '/v1/dead-letters/1/replay'],
  ['POST', '/v1/dead-letters/1/give-up'],
] as const)('%s %s wants an operator token: no cookie, no JWT, no write key', async (method, url) => {
  const session = await app.inject({ method: 'POST', url: '/v1/session', headers: bearer })
  const cookie = String(session.headers['set-cookie']).split(';')[0]!
  for (const headers of [
    {},
    { cookie, 'sec-fetch-site': 'same-origin' },
    { authorization: 'Bearer a.b.c' },
    { authorization: 'Bearer pk_x' },
  ]) {
    const answer = await app.inject({ method, url, headers })
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toMatchObject({ code: 'unauthorized' })
  }
})
