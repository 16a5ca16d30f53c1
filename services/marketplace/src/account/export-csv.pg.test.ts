import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { makePerson, type Person } from '../../../../test/support/marketplace-people.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import { unzip } from '../../../../test/support/unzip.ts'

let database: TestDatabase
let app: FastifyInstance
let ana: Person
beforeEach(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
  ana = await makePerson(database.pool)
})
afterEach(async () => {
  await app.close()
  await database.drop()
})
const get = (headers: Record<string, string> = {}) =>
  app.inject({
    url: '/api/account/export',
    headers: { authorization: `Bearer ${platformToken({ sub: ana.id })}`, ...headers },
  })

it('is a ZIP of tables for who asks for one, and says how to read them', async () => {
  const ben = await makePerson(database.pool)
  const { rawPayload, headers } = await get({ accept: 'application/zip' })
  expect(headers['content-type']).toBe('application/zip')
  const { 'README.txt': readme, ...files } = unzip(rawPayload)
  for (const said of ['"" is an empty text', 'runs it as a formula', '"" es un texto vacío', 'ejecute como fórmula'])
    expect(readme).toContain(said)
  expect(Object.keys(files).toSorted()).toEqual(
    Object.keys((await get()).json())
      .filter((name) => !/^(exported_at|user_id)$/.test(name))
      .map((name) => `${name}.csv`)
      .toSorted(),
  )
  expect(files['notifications.csv']).toMatch(
    new RegExp(`^\uFEFFid,user_id,title,body,read_at,created_at\n[^\n]*${ana.mark}[^\n]*\n$`),
  )
  expect(files['events.csv']!.trimEnd().split('\n')).toHaveLength(12)
  expect(JSON.stringify(files)).not.toContain(ben.mark)
})

it('has text that a spreadsheet would compute as text, and numbers, times and what is empty as they are', async () => {
  await database.pool.query(
    `create type public.mood as enum ('=bad');
     create domain public.said as text;
     create table public.things (n int, owner uuid references auth.users, "a ""t"",t" text, said public.said, mood public.mood, many text[],
       i int, f float8, d numeric, at timestamptz, ago interval, j jsonb, void text, nothing text)`,
  )
  const formulas = ['=1+1', '+57 300', '-2+3', '@SUM(A1)', '\t=1', '\r=1', '\n=1']
  const harmless = ['1=1', "'=1", ' =1', 'ñ', 'a,"b"\n=c']
  for (const [n, text] of [...formulas, ...harmless].entries())
    await database.pool.query(
      `insert into public.things values ($1, $2, $3::text, $3::text, '=bad', array[$3::text], -5, '-infinity', -1.50, '-infinity', '-1 day', '-7', '', null)`,
      [n, ana.id, text],
    )
  await database.pool.query(
    `insert into marketplace_internal.personal_data (relation, export_as, export_where, on_forget)
     values ('public.things', 'things', '{t.owner = $1}', 'delete')`,
  )
  const csv = unzip((await get({ accept: 'application/zip' })).rawPayload)['things.csv']!
  const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const rows = [...formulas.map((text) => `'${text}`), ...harmless].map((said, n) => {
    const text = quoted(said)
    const before = `${n},${ana.id},${text},${text},'=bad,`
    return { before, after: ',-5,-Infinity,-1.50,-infinity,-1 days,-7,"",\n' }
  })
  expect(csv.startsWith('\uFEFFn,owner,"a ""t"",t",said,mood,many,i,f,d,at,ago,j,void,nothing\n')).toBe(true)
  let at = 0
  for (const { before, after } of rows) {
    expect(csv.slice(at)).toContain(before)
    at = csv.indexOf(before, at) + before.length
    expect(csv.slice(at)).toContain(after)
    at = csv.indexOf(after, at) + after.length
  }
  expect(at).toBe(csv.length)
  expect((await get()).json().things[0]).toMatchObject({ said: '=1+1', void: '', nothing: null })
})
