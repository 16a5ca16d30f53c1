-- Five tables of the platform's wait for code that is not written yet. Their comment says so, lest somebody takes them for forgotten ones. A
-- comment that a table has stays behind ours, in a line of its own.

do $$
declare
  future record;
  before text;
begin
  for future in
    select c.oid::regclass as relation, purpose
    from (values
      ('insurance_claims', 'claims for damage in the course of a job'),
      ('recurring_plan_holidays', 'days on which a recurring booking is left out'),
      ('sms_logs', 'text messages sent, and what became of them'),
      ('user_blocks', 'who does not want to be matched with whom'),
      ('professional_revenue_snapshots', 'what a professional earned in a period')) as known (name, purpose)
    join pg_class c on c.oid = to_regclass(format('public.%I', name)) and c.relkind in ('r', 'p')
  loop
    before := obj_description(future.relation, 'pg_class');
    continue when before like 'For a future feature, %';
    begin
      execute format('comment on table %s is %L', future.relation,
        'For a future feature, no code uses it yet; do not drop: ' || future.purpose || '.' || coalesce(E'\n' || before, ''));
    exception when insufficient_privilege then
      raise warning 'this login may not comment on %, for it belongs to another', future.relation;
    end;
  end loop;
end $$;
