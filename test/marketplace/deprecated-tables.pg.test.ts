import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrateMarketplace, type Pool, type PoolClient, rollbackMarketplace } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'
import { tablesAsTheyAre } from './table-lines.ts'

const FILE = '0900_drop_deprecated_tables.sql'
const folder = new URL('../../migrations/marketplace/', import.meta.url)
const up = await readFile(new URL(FILE, folder), 'utf8')
const down = await readFile(new URL(`rollback/${FILE}`, folder), 'utf8')

const NAMES = [
  'booking_authorizations',
  'etta_conversations',
  'etta_messages',
  'pricing_faqs',
  'referral_credits',
  'reviews',
]

// With everything that a table can have and that its definition must bring back.
const TABLES = `
  create table public.people (reviews int);
  create type public.tone as enum ('kind', 'short');
  create function public.touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create table public.etta_conversations (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
    "Locale" text collate "C" not null default 'en' constraint "known locale" check ("Locale" in ('en', 'es')), tone public.tone, city varchar(5), created_at timestamptz not null default now());
  create table public.etta_messages (id bigint generated always as identity (start with 7 increment by 3) primary key,
    conversation_id uuid not null references public.etta_conversations on delete cascade, content text not null,
    length int generated always as (length(content)) stored, role text, unique nulls not distinct (conversation_id, role)) with (fillfactor = 70);
  create index on public.etta_messages (lower(content) text_pattern_ops, id desc) include (role) where role is not null;
  create statistics public.message_statistics on conversation_id, role from public.etta_messages;
  alter table public.etta_messages enable row level security;
  alter table public.etta_messages force row level security;
  alter table public.etta_messages replica identity full;
  alter table public.etta_messages alter content set storage external, alter content set statistics 50;
  create policy "own messages" on public.etta_messages as restrictive for update to authenticated
    using (conversation_id in (select id from public.etta_conversations where user_id = (select auth.uid()))) with check (role <> 'system');
  create policy everybody on public.etta_messages for select using (role = 'assistant');
  create trigger touched before update of content on public.etta_messages for each row when (old.content is distinct from new.content) execute function public.touch();
  create trigger resting after insert on public.etta_messages for each statement execute function public.touch();
  alter table public.etta_messages disable trigger resting;
  comment on table public.etta_messages is 'It''s old';
  comment on column public.etta_messages.role is 'who';
  comment on policy everybody on public.etta_messages is 'all';
  create table public.reviews (id serial primary key, rating int not null, body text);
  alter table public.reviews add constraint stars check (rating between 1 and 5) not valid;
  alter table public.reviews cluster on reviews_pkey;
  create table public.booking_authorizations (id uuid primary key, amount numeric(10,2) default 0.00);
  create table public.referral_credits (id uuid, amount int, exclude using btree (id with =));
  revoke all on public.booking_authorizations, public.etta_messages from anon, authenticated, service_role, public;
  grant select (amount), insert on public.booking_authorizations to authenticated with grant option;
  grant select on public.etta_messages to public;
  grant usage on sequence public.reviews_id_seq to anon;`

// An owner whom row policies bind, and default privileges that give what the table did not have.
const grounds = EACH_KIND.filter(({ name }) => name === '15 owner' || name === '18 supabase-new')

describe.each(grounds)('deprecated tables on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  beforeAll(async () => {
    database = await startMigrated(ground)
    const { rows } = await database.pool.query('select current_user as login')
    await database.superuser.query(`grant anon to ${rows[0].login}`)
  })
  afterAll(() => database.stop())

  /** In a transaction that leaves nothing. */
  async function trying(body: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query(TABLES)
      await body(client)
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  const force = (client: PoolClient) => client.query(`set local marketplace.force = 'on'`)
  const refused = async (client: PoolClient): Promise<{ message: string; detail: string; hint: string }> => {
    await client.query('savepoint before')
    const error = await client.query(up).catch((error) => error)
    expect(error, 'it was not refused').toBeInstanceOf(Error)
    await client.query('rollback to savepoint before')
    return error
  }

  it('drops what is empty and needed by nobody, and makes it again the same', async () => {
    await trying(async (client) => {
      await client.query(`insert into public.reviews (rating) values (3); delete from public.reviews`)
      const before = await tablesAsTheyAre(client, NAMES)
      expect(before.length).toBeGreaterThan(60)
      await client.query(up)
      expect(await tablesAsTheyAre(client, NAMES)).toEqual([])
      await client.query(up)
      await client.query(down)
      expect(await tablesAsTheyAre(client, NAMES)).toEqual(before)
      expect((await client.query('insert into public.reviews (rating) values (3) returning id')).rows).toEqual([
        { id: 2 },
      ])
    })
  })

  it('refuses them all for rows in one, though the row policies of a forced table hide them, and says how many', async () => {
    await trying(async (client) => {
      await client.query(`alter table public.etta_messages no force row level security;
        insert into auth.users (id) values ('10000000-0000-4000-8000-000000000001');
        with c as (insert into public.etta_conversations (user_id) values ('10000000-0000-4000-8000-000000000001') returning id)
        insert into public.etta_messages (conversation_id, content) select id, 'Hi' from c;
        alter table public.etta_messages force row level security`)
      const before = await tablesAsTheyAre(client, NAMES)
      expect(await refused(client)).toMatchObject({
        message: 'deprecated tables were not dropped: 2 of them are still needed',
        detail: 'public.etta_conversations: 1 row\npublic.etta_messages: 1 row',
        hint: expect.stringContaining('--force'),
      })
      expect(await tablesAsTheyAre(client, NAMES)).toEqual(before)
    })
  })

  it('refuses for whatever of others depends on one, all of it named, and moves the table with it when forced', async () => {
    const dependents = {
      'view public.best': 'create view public.best as select id from public.reviews',
      'materialized view public.kept': 'create materialized view public.kept as select id from public.reviews',
      'foreign key answers on table public.replies':
        'create table public.replies (review_id int constraint answers references public.reviews)',
      'policy seen on table public.people':
        'create policy seen on public.people for select to anon using (exists (select from public.reviews))',
      'function public.f()':
        'create function public.f() returns bigint language sql begin atomic select count(*) from public.reviews; end',
      'function public.f(public.reviews)':
        'create function public.f(r public.reviews) returns int language sql as $$ select 1 $$',
      'function public.g(), whose text names it': `create function public.g() returns void language plpgsql as $$ begin execute 'delete from Public."reviews"'; end $$`,
      'default value for column id of table public.other': `create table public.other (id int default nextval('public.reviews_id_seq'))`,
      'table public.more':
        'create table public.more (more int) inherits (public.reviews); alter table public.more alter id drop default',
      'publication changes': 'create publication changes for table public.reviews',
    }
    await trying(async (client) => {
      for (const sql of Object.values(dependents)) await client.query(sql)
      const { detail } = await refused(client)
      expect(detail.replace('public.reviews: ', '').split('; ').sort()).toEqual(Object.keys(dependents).sort())
      const before = await tablesAsTheyAre(client, NAMES)
      await force(client)
      await client.query(up)
      const { rows } = await client.query(
        `select relname from pg_class where relnamespace = to_regnamespace('marketplace_archive') and relkind = 'r'`,
      )
      expect(rows).toEqual([{ relname: 'reviews' }])
      await client.query('refresh materialized view public.kept; select public.f()')
      await client.query(down)
      expect(await tablesAsTheyAre(client, NAMES)).toEqual(before)
      expect((await client.query(`select to_regnamespace('marketplace_archive') as left`)).rows).toEqual([
        { left: null },
      ])
    })
  })

  it('is not held up by another table of a longer name, nor by a column of that name, nor by such a table in another schema', async () => {
    await trying(async (client) => {
      await client.query(`create table public.booking_reviews (id int); create view public.v as select * from public.booking_reviews;
        create function public.f() returns void language plpgsql as $$ begin perform p.reviews from public.people p; end $$;
        create function public.g() returns void language plpgsql as $$ begin delete from audit.reviews; end $$`)
      await client.query(up)
      expect(await tablesAsTheyAre(client, NAMES)).toEqual([])
    })
  })

  it('archives, when forced, what has rows and what such a table points at; its dependents go on working, the API roles are out', async () => {
    await trying(async (client) => {
      await client.query(`
        alter table public.etta_messages alter conversation_id drop not null, no force row level security;
        insert into public.etta_messages (content) values ('alone');
        alter table public.etta_messages force row level security;
        insert into public.reviews (rating) values (5), (4);
        create view public.best as select max(rating) as best from public.reviews;
        grant select on public.best, public.reviews to anon`)
      const before = await tablesAsTheyAre(client, NAMES)
      await force(client)
      await client.query(up)
      const { rows } = await client.query('select table_name, fate from marketplace_internal.dropped_tables order by 1')
      expect(rows.map(({ table_name, fate }) => `${table_name} ${fate}`)).toEqual([
        'booking_authorizations dropped',
        'etta_conversations archived',
        'etta_messages archived',
        'referral_credits dropped',
        'reviews archived',
      ])
      expect(
        (await client.query(`select has_table_privilege('anon', 'marketplace_archive.reviews', 'select') as may`)).rows,
      ).toEqual([{ may: false }])
      await client.query('set local role anon')
      expect((await client.query('select * from public.best')).rows).toEqual([{ best: 5 }])
      await client.query('reset role')
      await client.query(down)
      expect(await tablesAsTheyAre(client, NAMES)).toEqual(before)
      expect((await client.query('select rating from public.reviews order by 1')).rows).toEqual([
        { rating: 4 },
        { rating: 5 },
      ])
    })
  })

  it('leaves the rights of those who read an archived table through a policy of another', async () => {
    await trying(async (client) => {
      await client.query(`grant select on public.reviews, public.people to anon;
        create policy seen on public.people for select to anon using (not exists (select from public.reviews))`)
      await force(client)
      await client.query(up)
      await client.query('set local role anon')
      expect((await client.query('select * from public.people')).rows).toEqual([])
      await client.query('reset role')
      expect(
        (await client.query(`select has_table_privilege('anon', 'marketplace_archive.reviews', 'truncate') as may`))
          .rows,
      ).toEqual([{ may: false }])
    })
  })

  it('is a migration as the others are; one who holds a table is named within seconds, a view of such a name stays', async () => {
    const url = database.pool.options.connectionString as string
    const directory = await mkdtemp(join(tmpdir(), 'deprecated-'))
    await cp(new URL(FILE, folder), join(directory, FILE))
    await cp(new URL(`rollback/${FILE}`, folder), join(directory, 'rollback', FILE))
    await database.pool.query(
      'create table public.pricing_faqs (q text); create view public.reviews as select 1 as one',
    )
    const { rows } = await database.superuser.query(`select pid from pg_stat_activity where pid = pg_backend_pid()`)
    const holder = await database.superuser.connect()
    try {
      await holder.query('begin; lock table public.pricing_faqs in access share mode')
      await expect(migrateMarketplace(url, { directory })).rejects.toThrow(
        `deprecated tables were not dropped: public.pricing_faqs is in use. session ${rows[0].pid} (platform-events tests)`,
      )
    } finally {
      holder.release(true)
    }
    expect((await migrateMarketplace(url, { directory })).applied).toEqual([900])
    expect(
      (
        await database.pool.query(
          `select to_regclass('public.pricing_faqs') as faqs, to_regclass('public.reviews')::text as reviews`,
        )
      ).rows,
    ).toEqual([{ faqs: null, reviews: 'reviews' }])
    expect((await rollbackMarketplace(url, { directory })).rolledBack).toEqual([900])
    await database.pool.query('insert into public.pricing_faqs values ($$?$$)')
    await rm(directory, { recursive: true })
  })
})
