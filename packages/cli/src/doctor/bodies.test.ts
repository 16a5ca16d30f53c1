import { expect, it } from 'vitest'
import { missingIn } from './bodies.ts'

const names = {
  relations: new Set(['public.bookings', 'audit.log', 'public.Odd Name', 'pg_catalog.pg_class']),
  functions: new Set<string>(),
  schemas: new Set(['public', 'audit', 'pg_catalog']),
}

it('finds tables that are not there', () => {
  expect(missingIn('begin delete from public.reviews; end', names)).toEqual(['public.reviews'])
  expect(missingIn('select * from bookings b JOIN Public."Gone" g on true', names)).toEqual(['public.Gone'])
  expect(missingIn('insert into audit.gone (a, b) values (1, 2)', names)).toEqual(['audit.gone'])
  expect(missingIn('insert into audit.gone(a) select 1', names)).toEqual(['audit.gone'])
  expect(missingIn('update only public.gone set a = 1', names)).toEqual(['public.gone'])
  expect(
    missingIn(
      'insert into gone (a) values (1); update gone_too g set a = 1; select from bookings join gone_three on true; delete from gone',
      names,
    ),
  ).toEqual(['gone', 'gone_three', 'gone_too'])
})

it('leaves what is there, and what is none', () => {
  for (const body of [
    'select * from public.bookings join audit.log using (id) join "Odd Name" on true',
    `select extract(epoch from b.created_at), substring(a from b.c) from public.bookings b where b.x is distinct from b.y`,
    `-- from public.gone\n/* join public.gone */ select 'from public.gone'`,
    'select * from public.some_function(1); select * from generate_series(1, 2) join lateral unnest(a) on true',
    'with gone as (select 1), more (a) as materialized (select 2) select * from bookings join gone on true join more on true',
    'create temp table gone (a int); insert into gone values (1); delete from gone',
    'select 1 into strict result from bookings for update of bookings; select a into gone from bookings',
    'begin perform from bookings for no key update skip locked; end',
    'insert into bookings values (1) on conflict (id) do update set a = 1',
    'select * from new_rows; execute sql into gone',
    'delete from bookings using later l where l.id = 1',
  ])
    expect(missingIn(body, names), body).toEqual([])
})
