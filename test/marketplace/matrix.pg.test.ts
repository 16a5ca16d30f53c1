import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { functionAttempts, type Objects, relationAttempts, tryAll } from '../support/attempts.ts'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { GROUNDS } from '../support/grounds.ts'
import { carrying } from '../support/guests.ts'
import { startMarketplace } from '../support/marketplace-ground.ts'
import { type MatrixTable, makePeople, makeTables, matrixCell, type People } from './matrix-tables.ts'

// Both ages of Supabase's default privileges: the old give the API roles everything that is not taken back.
const grounds = GROUNDS.filter(({ name }) => ['15 supabase-old', '18 supabase-new'].includes(name))

describe.each(grounds)('on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  let people: People
  let tables: MatrixTable[]
  let callers: Record<string, Caller>
  /** Whose rows a caller may see at all. */
  const entitled: Record<string, string> = {
    guest: 'G',
    'user A': 'A',
    'user B': 'B',
    'A with token': 'AG',
    service: 'ABGH',
  }

  beforeAll(async () => {
    database = await startMarketplace(ground)
    people = await makePeople(database.superuser)
    tables = await makeTables(database.superuser, people)
    callers = {
      anonymous: { role: 'anon' },
      guest: carrying(people.G.token),
      'user A': { role: 'authenticated', userId: people.A },
      'user B': { role: 'authenticated', userId: people.B },
      'A with token': carrying(people.G.token, people.A),
      admin: { role: 'authenticated', userId: people.admin },
      service: { role: 'service_role' },
    }
  })
  afterAll(() => database.stop())

  it('row level security: whose rows (of users A and B, guests G and H) each caller can touch', async () => {
    const lines = [['', ...Object.keys(callers)]]
    for (const table of tables)
      for (const verb of ['select', 'insert', 'update', 'delete']) {
        const line = [`${table.name} ${verb}`]
        for (const [who, caller] of Object.entries(callers))
          line.push(
            await matrixCell(database.superuser, caller, table, verb, (owner, text) => {
              if (!entitled[who]?.includes(owner))
                expect(text, `${who} ${verb} ${table.name}`).not.toContain(`secret-${owner}`)
            }),
          )
        lines.push(line)
      }
    expect(
      `\n${lines.map(([first = '', ...cells]) => `${first.padEnd(28)}${cells.map((cell) => cell.padEnd(13)).join('')}`.trimEnd()).join('\n')}\n`,
    ).toMatchInlineSnapshot(`
      "
                                  anonymous    guest        user A       user B       A with token admin        service
      guest_sessions select       ·            G            ·            ·            G            ·            GH
      guest_sessions insert       GH           GH           GH           GH           GH           GH           GH
      guest_sessions update       ×            ×            ×            ×            ×            ×            GH
      guest_sessions delete       ×            ×            ×            ×            ×            ×            GH
      amara_conversations select  ×            ×            A            B            A            ·            AB
      amara_conversations insert  ×            ×            A            B            A            ×            AB
      amara_conversations update  ×            ×            A            B            A            ·            AB
      amara_conversations delete  ×            ×            A            B            A            ·            AB
      amara_messages select       ×            ×            A            B            A            ·            AB
      amara_messages insert       ×            ×            A            B            A            ×            AB
      amara_messages update       ×            ×            A            B            A            ·            AB
      amara_messages delete       ×            ×            A            B            A            ·            AB
      bookings select             ·            G            A            B            AG           ·            ABGH
      bookings insert             ×            G            A            B            AG           ×            ABGH
      bookings update             ×            ×            A            B            A            ·            ABGH
      bookings delete             ×            ×            ×            ×            ×            ×            ABGH
      referrals select            ×            ×            A            B            A            ·            AB
      referrals insert            ×            ×            ×            ×            ×            ×            AB
      referrals update            ×            ×            ×            ×            ×            ×            AB
      referrals delete            ×            ×            ×            ×            ×            ×            AB
      notifications select        ×            ×            A            B            A            ·            AB
      notifications insert        ×            ×            ×            ×            ×            ×            AB
      notifications update        ×            ×            A            B            A            ·            AB
      notifications delete        ×            ×            ×            ×            ×            ×            AB
      "
    `)
  })

  it('nobody gives a row to another, nor takes one', async () => {
    for (const { name, rows, giveAway } of tables) {
      if (giveAway === undefined) continue
      const give = asCaller(database.superuser, callers['user A']!, (ask) =>
        ask(`update ${name} set ${giveAway} where id = '${rows['A']}'`),
      )
      const take = asCaller(database.superuser, callers['user B']!, (ask) =>
        ask(`update ${name} set ${giveAway} where id = '${rows['A']}'`),
      )
      expect(await sqlstate(give), `give ${name}`).toBe('42501')
      expect(
        await take.then(
          ({ rowCount }) => rowCount,
          ({ code }) => code,
        ),
        `take ${name}`,
      ).toSatisfy((end) => end === 0 || end === '42501')
    }
  })

  it('a key that is taken says nothing of the row that has it', async () => {
    for (const [who, caller] of Object.entries(callers)) {
      if (who === 'service' || who === 'user A') continue
      for (const { name, rows, insert } of tables) {
        if (rows['A'] === undefined) continue
        const own = insert('B', rows['A'])
        const failed = asCaller(database.superuser, caller, (ask) => ask(own))
        expect(await sqlstate(failed), `${who} ${name}`).toMatch(/^(42501|23505)$/)
        const error = await failed.catch((caught: Error) => ({ ...caught, message: caught.message }))
        expect(JSON.stringify(error)).not.toMatch(new RegExp(`secret-A|${people.A}`))
      }
    }
  })

  describe('privileges', () => {
    let ours: Objects
    beforeAll(async () => {
      const { rows } = await database.pool.query('select current_user as owner')
      ours = { schema: 'marketplace_internal', owner: rows[0].owner }
    })

    // Everything is tried, on every table, view, sequence and function; what does not end with "permission denied" is listed here.
    const ALLOWED = {
      anonymous: [
        'select public.bookings',
        'insert public.guest_sessions',
        'select public.guest_sessions',
        'call public.get_guest_session',
      ],
      'user A': [
        ...['amara_conversations', 'amara_messages'].flatMap((table) =>
          ['select', 'lock', 'update', 'delete'].map((verb) => `${verb} public.${table}`),
        ),
        ...['select', 'lock', 'update'].map((verb) => `${verb} public.bookings`),
        'insert public.guest_sessions',
        'select public.guest_sessions',
        ...['select', 'lock', 'update'].map((verb) => `${verb} public.notifications`),
        'select public.referrals',
        'call public.get_guest_session',
        'call public.get_user_referral_credits',
      ],
    }
    const PLATFORM = /^\w+ public\.(profiles|customers|searches|payments|booking_reviews)$/
    it.each(['anonymous', 'guest', 'user A', 'admin'])('%s may do what is expected and nothing else', async (who) => {
      const attempts = [
        ...(await relationAttempts(database.superuser, ours)),
        ...(await functionAttempts(database.superuser, ours)),
      ].filter(({ name }) => !PLATFORM.test(name))
      expect(attempts.length).toBeGreaterThan(100)
      const allowed = await asCaller(database.superuser, callers[who]!, (ask) => tryAll(ask, attempts))
      const expected = callers[who]!.role === 'anon' ? ALLOWED.anonymous : ALLOWED['user A']
      const monitoring = who === 'admin' ? ['call public.get_marketplace_monitoring'] : []
      expect(allowed.sort()).toEqual([...expected, ...monitoring].sort())
    })

    it('a function shows a user no more than their rows do', async () => {
      const credits = async (who: string, of: string) =>
        (
          await asCaller(database.superuser, callers[who]!, (ask) =>
            ask<{ n: number }>('select get_user_referral_credits($1) as n', [of]),
          )
        ).rows[0]!.n
      expect([
        await credits('user A', people.A),
        await credits('user B', people.A),
        await credits('admin', people.A),
        await credits('service', people.A),
      ]).toEqual([5, 0, 0, 5])
    })

    it('nothing in public is SECURITY DEFINER, every function pins its search path, every view asks as its reader', async () => {
      const { rows } = await database.superuser.query(
        `select format('%s %s', p.oid::regprocedure, case when p.prosecdef then 'is definer in public' else 'has no search path' end) as what
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where (n.nspname = $1 or n.nspname = 'public' and pg_get_userbyid(p.proowner) = $2)
           and (n.nspname = 'public' and p.prosecdef
             or not exists (select from unnest(p.proconfig) s where s = 'search_path=""'))
         union all
         select c.oid::regclass || ' asks as its owner' from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where (n.nspname = $1 or n.nspname = 'public' and pg_get_userbyid(c.relowner) = $2) and c.relkind in ('v', 'm')
           and not coalesce('security_invoker=true' = any (c.reloptions), false)
         union all
         select c.oid::regclass || ' has no row level security' from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and pg_get_userbyid(c.relowner) = $2 and c.relkind in ('r', 'p') and not c.relrowsecurity`,
        [ours.schema, ours.owner],
      )
      expect(rows).toEqual([])
    })

    it('no function is everybody’s, and those of public are for whom they are meant', async () => {
      const { rows } = await database.superuser.query<{ role: string; name: string }>(
        `select coalesce(nullif(a.grantee, 0)::regrole::text, 'public') as role, p.oid::regproc::text as name
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
           aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where n.nspname = $1 and a.grantee = 0 or n.nspname = 'public' and pg_get_userbyid(p.proowner) = $2 and a.grantee <> p.proowner
         order by 1, 2`,
        [ours.schema, ours.owner],
      )
      const of = (role: string) => rows.filter((row) => row.role === role).map(({ name }) => name)
      expect(of('public')).toEqual([])
      expect(of('anon')).toEqual(['get_guest_session'])
      expect(of('authenticated')).toEqual([
        'convert_guest_to_user',
        'get_guest_session',
        'get_marketplace_monitoring',
        'get_user_referral_credits',
      ])
    })

    it('nobody truncates over the API, and no API role has a way into the schema', async () => {
      const { rows } = await database.superuser.query(
        `select r.role, c.relname from (values ('anon'), ('authenticated'), ('service_role')) r (role), pg_class c join pg_namespace n on n.oid = c.relnamespace
         where (n.nspname = $1 or n.nspname = 'public' and pg_get_userbyid(c.relowner) = $2 and c.relname <> 'profiles') and c.relkind in ('r', 'p', 'v')
           and has_table_privilege(r.role, c.oid, 'truncate, references, trigger')
         union all
         select r.role, 'usage' from (values ('anon'), ('authenticated')) r (role) where has_schema_privilege(r.role, $1, 'usage, create')`,
        [ours.schema, ours.owner],
      )
      expect(rows).toEqual([])
    })
  })
})
