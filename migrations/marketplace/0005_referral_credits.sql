-- What a user has earned by bringing others. The platform's table says who earned it in a column whose name we find here, once.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
declare
  referrer text;
begin
  -- A platform that has one of its own keeps it.
  if to_regprocedure('public.get_user_referral_credits(uuid)') is not null
    and coalesce(obj_description(to_regprocedure('public.get_user_referral_credits(uuid)'), 'pg_proc'), '')
      not like 'The sum of referrals.referrer_credit_amount with status ''rewarded'' of this user%' then
    raise warning 'public.get_user_referral_credits(uuid) is there already, and left as it is';
    return;
  end if;
  if to_regclass('public.referrals') is null then
    raise exception 'there is no table public.referrals'
      using hint = 'It is the platform''s own. For development and tests 0001_ground.sql makes one: migrate with --development.';
  end if;
  select a.attname into referrer
  from unnest(array['referrer_id', 'referrer_user_id', 'user_id']) with ordinality as known (name, place)
  join pg_attribute a on a.attrelid = to_regclass('public.referrals') and a.attname = known.name and not a.attisdropped
  order by known.place limit 1;
  if referrer is null then
    raise exception 'public.referrals has none of the columns referrer_id, referrer_user_id, user_id'
      using hint = 'Give it one that says whose the credit is, or a generated column of such a name.';
  end if;

  -- status::text: some platforms have an enum there
  execute format($make$
    create or replace function public.get_user_referral_credits(p_user_id uuid) returns integer
    language sql stable security invoker set search_path = '' as $body$
      select coalesce(sum(r.referrer_credit_amount), 0)::integer
      from public.referrals r
      where r.%I = p_user_id and r.status::text = 'rewarded'
    $body$ $make$, referrer);

  revoke all on function public.get_user_referral_credits(uuid) from public, anon, authenticated, service_role;
  grant execute on function public.get_user_referral_credits(uuid) to authenticated, service_role;
  comment on function public.get_user_referral_credits(uuid) is
    'The sum of referrals.referrer_credit_amount with status ''rewarded'' of this user, 0 if none. Row level security of referrals holds: whose rows the caller may not read count nothing. Example: select public.get_user_referral_credits(auth.uid());';
end $$;
