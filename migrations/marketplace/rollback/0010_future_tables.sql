-- Gives back the comment that was there before; one that somebody has written over ours since stays.
do $$
declare
  future record;
begin
  for future in
    select c.oid::regclass as relation, obj_description(c.oid, 'pg_class') as comment
    from unnest(array['insurance_claims', 'recurring_plan_holidays', 'sms_logs', 'user_blocks', 'professional_revenue_snapshots']) as name
    join pg_class c on c.oid = to_regclass(format('public.%I', name)) and c.relkind in ('r', 'p')
  loop
    if future.comment like 'For a future feature, %' then
      execute format('comment on table %s is %L', future.relation, nullif(regexp_replace(future.comment, '^[^\n]*\n?', ''), ''));
    end if;
  end loop;
end $$;
