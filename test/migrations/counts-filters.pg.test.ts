import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { refusalOf } from './counts-lines.ts'

let database: TestDatabase
/** Values of property v, each in an event of its own; and an event without it, one whose properties are no object, one with none at all. */
const VALUES = [
  '5',
  '5.0',
  '10',
  '-1',
  'true',
  'null',
  '"5"',
  '"10"',
  '"Cali"',
  '"cali"',
  '"～"',
  '"😀"',
  '""',
  '[5, "Cali", [1]]',
  '{"a": 5}',
]

beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(
    `insert into public.platform_events (event_type, properties)
     select 'SearchStarted', jsonb_build_object('v', v::jsonb, 'a.b', 1, 'o''k"%L', 1) from unnest($1::text[]) v
     union all values ('SearchStarted', '{}'::jsonb), ('SearchStarted', '["v"]'), ('ProfessionalViewed', null)`,
    [VALUES],
  )
})
afterAll(() => database.drop())

const condition = async (...filters: object[]): Promise<string> =>
  (await database.pool.query('select events_internal.filter_sql($1) as sql', [JSON.stringify(filters)])).rows[0].sql
/** The values that pass; `none` for each event without v. */
const passing = async (...filters: object[]): Promise<string[]> => {
  const { rows } = await database.pool.query(
    `select coalesce((e.properties -> 'v')::text, 'none') as v from public.platform_events e where ${await condition(...filters)}`,
  )
  return rows.map((row) => row.v).sort()
}
const v = (op: string, value?: unknown) => ({ property: 'v', op, ...(value === undefined ? {} : { value }) })

describe('filters', () => {
  it('compare scalars of the same type, numbers numerically', async () => {
    expect(await passing(v('=', 5))).toEqual(['5', '5.0'])
    expect(await passing(v('=', '5'))).toEqual(['"5"'])
    expect(await passing(v('=', true))).toEqual(['true'])
    expect(await passing(v('=', 'Cali'))).toEqual(['"Cali"'])
    expect(await passing(v('in', [10, 'cali', false]))).toEqual(['"cali"', '10'])
    expect(await passing(v('!=', 5))).toHaveLength(VALUES.length + 3 - 2)
  })

  it('order numbers among numbers, and strings among strings by code point', async () => {
    expect(await passing(v('<', 5))).toEqual(['-1'])
    expect(await passing(v('>=', 5))).toEqual(['10', '5', '5.0'])
    expect(await passing(v('<', '5'))).toEqual(['""', '"10"'])
    expect(await passing(v('>', '～'))).toEqual(['"😀"']) // by UTF-16 units it would be the other way round
  })

  it('tell what exists and is not null, and find parts of strings and elements of arrays', async () => {
    expect(await passing(v('exists'))).toHaveLength(VALUES.length - 1)
    expect(await passing(v('exists', false))).toEqual(['none', 'none', 'none', 'null'])
    expect(await passing(v('contains', 'al'))).toEqual(['"Cali"', '"cali"'])
    expect(await passing(v('contains', 'Cali'))).toEqual(['"Cali"', '[5, "Cali", [1]]'])
    expect(await passing(v('contains', 5.0))).toEqual(['[5, "Cali", [1]]'])
    expect(await passing(v('contains', 1))).toEqual([])
  })

  it('hold all at once, and take names literally', async () => {
    expect(await passing(v('>', 5), v('<', 11))).toEqual(['10'])
    expect(await passing({ property: 'a.b', op: '=', value: 1 })).toHaveLength(VALUES.length)
    expect(await passing({ property: `o'k"%L`, op: 'exists' })).toHaveLength(VALUES.length)
    expect(await passing()).toHaveLength(VALUES.length + 3)
  })

  it('are true or false, never null, so that they can be negated and counted', async () => {
    for (const filter of [
      v('=', 5),
      v('!=', 5),
      v('<', 5),
      v('<', 'a'),
      v('in', ['a']),
      v('exists'),
      v('exists', false),
      v('contains', 'a'),
      v('contains', 1),
    ]) {
      const { rows } = await database.pool.query(
        `select count(*) filter (where (${await condition(filter)}) is null)::int as nulls from public.platform_events e`,
      )
      expect(rows, JSON.stringify(filter)).toEqual([{ nulls: 0 }])
    }
  })

  it.each([`'); drop table x; --`, `\\'`, `$$`, '%s %1$s', `"; select 1`, `\u{0027} or true or '`])(
    'stay data, whatever is written in them: %s',
    async (evil) => {
      for (const op of ['=', '!=', 'in', '<', 'contains', 'exists'])
        await passing({ property: evil, op, value: { in: [evil], exists: true }[op] ?? evil })
      const filter = JSON.stringify([{ property: evil, op: '=', value: evil }])
      const { rows } = await database.pool.query(
        `select events from public.event_counts(null, '-infinity', 'infinity', 'all', $1, $2)`,
        [evil, filter],
      )
      expect(rows).toEqual([])
    },
  )

  it('are refused where they mean nothing', async () => {
    for (const filter of [
      5,
      { property: 'v' },
      { property: 5, op: '=' },
      { property: 'v', op: '==', value: 5 },
      { property: 'v', op: '=', vlaue: 5 },
      v('='),
      v('=', [5]),
      v('<', true),
      v('in', 5),
      v('in', []),
      v('in', [[5]]),
      v(
        'in',
        Array.from({ length: 101 }, () => 1),
      ),
      v('exists', 'yes'),
      v('contains', {}),
    ]) {
      const sql = `select events_internal.filter_sql('${JSON.stringify([filter])}')`
      expect(await refusalOf(database.pool, sql), sql).toMatchObject({
        code: '22023',
        hint: expect.stringContaining('"op"'),
      })
    }
  })
})

describe('event types', () => {
  const suggest = async (type: string) =>
    (await database.pool.query('select events_internal.suggest_event_types($1) as types', [type])).rows[0].types

  it('that never came are answered with those that are spelt nearly so', async () => {
    expect(await suggest('serchstarted')).toEqual(['SearchStarted'])
    expect(await suggest('ProfesionalView')).toEqual(['ProfessionalViewed'])
    expect(await suggest('Zzz')).toEqual([])
    expect(await suggest('')).toEqual([])
    expect(await suggest('x'.repeat(5000))).toEqual([])
  })

  it('are known by the hourly counts, also when their rows are gone', async () => {
    const known = (types: string) => database.pool.query(`select events_internal.require_known_types(${types})`)
    await known(`array['SearchStarted', 'ProfessionalViewed']`)
    await known('null')
    await known(`'{}'`)
    await expect(known(`array['SearchStarted', 'Ancient']`)).rejects.toMatchObject({
      message: 'no event of type Ancient has ever come',
    })
    await database.pool.query(
      `insert into events_internal.event_rollup_hourly values ('2020-01-01 10:00Z', 'Ancient', 0, 7)`,
    )
    await known(`array['Ancient']`)
  })
})
