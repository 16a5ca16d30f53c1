import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startTestQuery } from '../../../test/support/query.ts'

const TODAY = '2026-11-24'
const COLLECTOR = '0b6f0c0e-0000-4000-8000-00000000000a'
const NOBODY = '00000000-0000-0000-0000-000000000000'

let database: TestDatabase
let app: FastifyInstance
let token: string
let shop: number

let nowMs: number

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool, {
    verifyJwt: async () => ({ userId: undefined, role: 'service_role' }),
    clock: () => nowMs,
  })
  app = started.app
  token = started.token
  const { rows } = await database.pool.query(
    `insert into events_internal.event_sources (name, write_key) values ('shop', 'pk_shop') returning source_id::int`,
  )
  shop = rows[0].source_id
})

beforeEach(async () => {
  nowMs = Date.parse(`${TODAY}T12:00:00Z`)
  await database.pool.query(
    `truncate events_internal.delivery_counts, events_internal.rejected_counts, events_internal.spools,
       events_internal.missing_counts, events_internal.stream_counts`,
  )
})

afterAll(async () => {
  await app.close()
  await database.drop()
})

async function ask(query = '', headers: Record<string, string> = { authorization: `Bearer ${token}` }) {
  const answer = await app.inject({ url: `/v1/ledger${query}`, headers })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

/** A line of the books: what a collector told (topic partition -1), or a consumer counted. */
async function count(
  day: string,
  source: number,
  counts: Record<string, number>,
  collector = COLLECTOR,
  partition = 0,
) {
  const names = Object.keys(counts)
  await database.pool.query(
    `insert into events_internal.delivery_counts (day, source_id, collector_id, topic_partition, ${names.join(', ')})
     values ($1, $2, $3, $4, ${names.map((_, at) => `$${at + 5}`).join(', ')})`,
    [day, source, collector, partition, ...Object.values(counts)],
  )
}

describe('GET /v1/ledger', () => {
  it('has a row for each day and source, the sums, the spools, and says that the books balance', async () => {
    await count(TODAY, shop, { accepted: 110, repeated: 2 }, COLLECTOR, -1)
    await count(TODAY, shop, { accepted: 100, stored: 90, duplicate: 5, dead: 3, quarantined: 2, resent: 7 })
    await count('2026-11-18', 0, { accepted: 4, stored: 4, deleted: 1 }, NOBODY, -1)
    await count('2026-11-17', shop, { accepted: 1, stored: 1 })
    await database.pool.query(
      `insert into events_internal.rejected_counts values
         ('${TODAY}', ${shop}, '${COLLECTOR}', 'too_large', 3), ('${TODAY}', ${shop}, '${COLLECTOR}', 'invalid_created_at', 4)`,
    )
    await database.pool.query(
      `insert into events_internal.missing_counts values ('${TODAY}', ${shop}, 9, 6);
       insert into events_internal.stream_counts values ('${TODAY}', 1, '${TODAY}T11:59:00Z');
       insert into events_internal.spools values ('spool', 'host-1', 10, 4096, '${TODAY}T11:59:59Z')`,
    )
    const { status, headers, body } = await ask()
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    const nothing = { rejected: 0, duplicate: 0, dead_lettered: 0, quarantined: 0, in_flight: 0, missing: 0, resent: 0 }
    const ofToday = {
      received: 119,
      rejected: 7,
      accepted: 112,
      stored: 90,
      duplicate: 7,
      dead_lettered: 3,
      quarantined: 2,
      in_flight: 10,
      missing: 6,
      resent: 7,
      deleted: 0,
    }
    expect(body).toEqual({
      ledger: [
        {
          day: TODAY,
          source_id: shop,
          source: 'shop',
          ...ofToday,
          rejected_by_code: { too_large: 3, invalid_created_at: 4 },
        },
        {
          day: '2026-11-18',
          source_id: 0,
          source: '(sql)',
          ...nothing,
          received: 4,
          accepted: 4,
          stored: 4,
          deleted: 1,
          rejected_by_code: {},
        },
      ],
      totals: { ...ofToday, received: 123, accepted: 116, stored: 94, deleted: 1 },
      identities_hold: true,
      spools: [{ spool_id: 'spool', host: 'host-1', events: 10, bytes: 4096, reported_at: `${TODAY}T11:59:59.000Z` }],
      missing_as_of: `${TODAY}T11:59:00.000Z`,
      from: '2026-11-18',
      to: TODAY,
      as_of: `${TODAY}T12:00:00.000Z`,
    })
  })

  it('takes a period of days, both inclusive', async () => {
    await count('2026-11-01', shop, { accepted: 1, stored: 1 })
    await count('2026-11-02', shop, { accepted: 1, stored: 1 })
    await count('2026-11-03', shop, { accepted: 1, stored: 1 })
    const { body } = await ask('?from=2026-11-01&to=2026-11-02')
    expect(body.ledger.map(({ day }: { day: string }) => day)).toEqual(['2026-11-02', '2026-11-01'])
    expect(body.totals.accepted).toBe(2)
    expect((await ask('?to=2026-11-03')).body.from).toBe('2026-10-28')
    expect((await ask('?from=2026-11-10')).body).toMatchObject({
      ledger: [],
      identities_hold: true,
      missing_as_of: null,
    })
  })

  it('says that the books do not balance where more was settled than accepted', async () => {
    await count('2026-11-22', shop, { accepted: 20, stored: 3 })
    await count(TODAY, shop, { accepted: 5, stored: 6 }, NOBODY)
    expect((await ask()).body).toMatchObject({ identities_hold: false, totals: { in_flight: 16 } })
  })

  it.each([
    ['?from=yesterday', 'from: wants a date'],
    ['?to=2026-11-31', 'to: wants a date'],
    ['?to=2026-11-24T00:00:00Z', 'to: wants a date'],
    ['?from=2026-11-24&to=2026-11-23', 'must not be later'],
    ['?from=2025-11-20', 'more than 366 days'],
    ['?day=2026-11-24', 'unknown fields: day'],
    ['?from=2026-11-01&from=2026-11-02', 'from: '],
  ])('refuses %s', async (query, message) => {
    expect(await ask(query)).toMatchObject({
      status: 400,
      body: { code: 'invalid_query', message: expect.stringContaining(message) },
    })
  })

  it('is in the metrics by account, summed over the last 8 days; absent while Postgres does not answer', async () => {
    const figures = async () => {
      nowMs += 5000
      const { payload } = await app.inject('/metrics')
      return [...payload.matchAll(/^query_ledger_events\{account="(\w+)"\} (\d+)$/gm)].map(([, name, n]) => [
        name,
        Number(n),
      ])
    }
    await count(TODAY, shop, { accepted: 10, stored: 6, duplicate: 1 })
    await count('2026-11-17', shop, { accepted: 3, stored: 3 })
    await count('2026-11-16', shop, { accepted: 5, stored: 5 })
    const found = Object.fromEntries(await figures())
    expect(found).toMatchObject({ received: 13, accepted: 13, stored: 9, duplicate: 1, in_flight: 3, missing: 0 })
    expect(Object.keys(found)).toHaveLength(11)

    await database.pool.query('alter table events_internal.spools rename to spools_away')
    expect(await figures()).toEqual([])
    await database.pool.query('alter table events_internal.spools_away rename to spools')
    expect(await figures()).toHaveLength(11)
  })

  it('is for operators: by token, or by the session that was made of one', async () => {
    const session = await app.inject({
      method: 'POST',
      url: '/v1/session',
      headers: { authorization: `Bearer ${token}` },
    })
    const cookie = String(session.headers['set-cookie']).split(';')[0]!
    expect((await ask('', { cookie })).status).toBe(200)
    for (const headers of [{}, { authorization: 'Bearer jwt.of.service' }, { authorization: 'Bearer pk_shop' }])
      expect(await ask('', headers)).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
    expect((await app.inject({ url: '/v1/losses', headers: { cookie } })).statusCode).toBe(401)
  })
})
