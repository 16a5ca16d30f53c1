-- Work by the clock: what is run, when it is due, and what became of it. pg_cron runs it where it is, else the service does; both through
-- run_job, which records each run, so that an overdue job is seen whoever was to run it.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

create table if not exists marketplace_internal.jobs (
  job text primary key,
  period interval not null,
  grace interval not null,
  cron text not null,
  needs text not null,
  since timestamptz not null default now()
);
comment on table marketplace_internal.jobs is 'What is run by the clock. Due a period after the last good run, overdue a grace later.';
comment on column marketplace_internal.jobs.cron is 'When pg_cron runs it, in GMT. Apart from each other, and from the full hour.';
comment on column marketplace_internal.jobs.needs is 'The function that it calls: without it there is no such job in this database.';

create table if not exists marketplace_internal.job_runs (
  run_id bigint generated always as identity primary key,
  job text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  removed bigint,
  error text
);
create index if not exists job_runs_job_started_at_idx on marketplace_internal.job_runs (job, started_at desc);
comment on table marketplace_internal.job_runs is 'Runs of jobs, kept 400 days. error is null for a good run.';
comment on column marketplace_internal.job_runs.removed is 'What it removed: guest sessions, days of events, requests.';

revoke all on marketplace_internal.jobs, marketplace_internal.job_runs from public, anon, authenticated, service_role;

-- What a forced rollback put aside.
do $$
begin
  if to_regprocedure('marketplace_internal.take_back_rows(text)') is not null then
    perform marketplace_internal.take_back_rows('marketplace_internal.job_runs');
  end if;
end $$;

insert into marketplace_internal.jobs (job, period, grace, cron, needs) values
  ('cleanup_expired_guest_sessions', '1 day', '12 hours', '17 3 * * *', 'marketplace_internal.cleanup_expired_guest_sessions()'),
  ('cleanup_old_platform_events', '31 days', '3 days', '43 3 1 * *', 'public.cleanup_old_platform_events()'),
  ('cleanup_chat_requests', '1 day', '12 hours', '29 3 * * *', 'marketplace_internal.cleanup_chat_requests()')
on conflict (job) do nothing;

-- An answer that is asked for again comes within minutes; the error rate looks back a week.
create or replace function marketplace_internal.cleanup_chat_requests() returns bigint
  language plpgsql volatile set search_path = '' as $$
declare
  removed bigint := 0;
begin
  if pg_catalog.to_regclass('marketplace_internal.chat_requests') is not null then
    delete from marketplace_internal.chat_requests r where r.created_at < now() - interval '30 days';
    get diagnostics removed = row_count;
  end if;
  return removed;
end $$;
revoke all on function marketplace_internal.cleanup_chat_requests() from public, anon, authenticated, service_role;
comment on function marketplace_internal.cleanup_chat_requests() is 'Removes requests to the chat endpoint that are older than 30 days, and returns how many.';

-- drop_old_days gives up with a warning where the table is in use; here that is no good run.
create or replace function marketplace_internal.drop_old_days() returns bigint
  language plpgsql volatile set search_path = '' as $$
declare
  days_before constant bigint := (select count(*) from events_internal.attached_days());
  days_after bigint;
  days_old bigint;
begin
  perform public.cleanup_old_platform_events();
  select count(*), count(*) filter (where d.upper_bound <= now() - interval '90 days') into days_after, days_old
  from events_internal.attached_days() d;
  if days_old > 0 then
    raise exception '% days older than 90 days are still there, platform_events was in use', days_old using errcode = 'lock_not_available';
  end if;
  return days_before - days_after;
end $$;
revoke all on function marketplace_internal.drop_old_days() from public, anon, authenticated, service_role;
comment on function marketplace_internal.drop_old_days() is 'cleanup_old_platform_events(), and how many days it dropped. Raises 55P03 where an old one stayed.';

create or replace function marketplace_internal.cron_jobs() returns setof text
  language plpgsql stable set search_path = '' as $$
begin
  if pg_catalog.to_regclass('cron.job') is not null then
    return query execute $sql$
      select j.jobname::text from cron.job j where j.active and j.database = current_database() and j.command like '%marketplace_internal.%'$sql$;
  end if;
end $$;
revoke all on function marketplace_internal.cron_jobs() from public, anon, authenticated, service_role;
comment on function marketplace_internal.cron_jobs() is 'The jobs of this module that pg_cron runs; none where it is not.';

-- Not more than one client asks at a time what is due: all of it follows from job_runs, so a restart forgets nothing.
create or replace function marketplace_internal.job_states() returns table (
  job text, last_good timestamptz, last_run timestamptz, last_error text, failures bigint, due_at timestamptz, overdue boolean, by_cron boolean
)
  language sql stable set search_path = '' as $$
    select j.job, good.started_at, last.started_at, last.error, failed.n,
      case
        when failed.n > 0 then last.finished_at + least(interval '1 hour', interval '1 minute' * (2 ^ least(failed.n - 1, 10)))
        when good.started_at is null and not cron.is_cron then j.since
        else coalesce(good.started_at, j.since) + j.period + case when cron.is_cron then j.grace else '0' end
      end,
      coalesce(good.started_at, j.since) + j.period + j.grace < now(),
      cron.is_cron
    from marketplace_internal.jobs j
    left join lateral (
      select r.started_at from marketplace_internal.job_runs r where r.job = j.job and r.error is null order by r.started_at desc limit 1
    ) good on true
    left join lateral (
      select r.started_at, r.finished_at, r.error from marketplace_internal.job_runs r where r.job = j.job order by r.started_at desc limit 1
    ) last on true
    cross join lateral (
      select count(*) as n from marketplace_internal.job_runs r
      where r.job = j.job and r.error is not null and r.started_at > coalesce(good.started_at, '-infinity')
    ) failed
    cross join lateral (select j.job in (select c from marketplace_internal.cron_jobs() c) as is_cron) cron
    where pg_catalog.to_regprocedure(j.needs) is not null
  $$;
revoke all on function marketplace_internal.job_states() from public, anon, authenticated, service_role;
comment on function marketplace_internal.job_states() is
  'Each job, and when it is due for the service: after a failed run 1, 2, 4 … 60 minutes later; where pg_cron runs it, only once it is overdue. '
  'Example: select job, overdue from marketplace_internal.job_states()';

create or replace function marketplace_internal.run_job(p_job text, p_only_if_due boolean default false) returns jsonb
  language plpgsql volatile security definer set search_path = '' as $$
declare
  started constant timestamptz := pg_catalog.clock_timestamp();
  removed bigint;
  failure text;
begin
  if not exists (select from marketplace_internal.jobs j where j.job = p_job) then
    raise exception 'there is no job %', p_job using errcode = 'undefined_object', hint = 'select job from marketplace_internal.jobs';
  end if;
  -- Whoever runs it now does it for us; and whoever waited for the lock finds it done.
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('marketplace_internal.run_job'), pg_catalog.hashtext(p_job)) then
    return null;
  end if;
  if p_only_if_due and not exists (select from marketplace_internal.job_states() s where s.job = p_job and s.due_at <= pg_catalog.clock_timestamp()) then
    return null;
  end if;
  begin
    case p_job
      when 'cleanup_expired_guest_sessions' then removed := marketplace_internal.cleanup_expired_guest_sessions();
      when 'cleanup_old_platform_events' then removed := marketplace_internal.drop_old_days();
      when 'cleanup_chat_requests' then removed := marketplace_internal.cleanup_chat_requests();
    end case;
  exception when others then
    failure := pg_catalog.format('%s (SQLSTATE %s)', sqlerrm, sqlstate);
  end;
  insert into marketplace_internal.job_runs (job, started_at, finished_at, removed, error)
  values (p_job, started, pg_catalog.clock_timestamp(), removed, failure);
  delete from marketplace_internal.job_runs r where r.job = p_job and r.started_at < now() - interval '400 days';
  return pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('job', p_job, 'removed', removed, 'error', failure));
end $$;
revoke all on function marketplace_internal.run_job(text, boolean) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.run_job(text, boolean) to service_role;
comment on function marketplace_internal.run_job(text, boolean) is
  'Runs a job now and records the run; an error is recorded and not raised. Null where it is being run, or, asked so, where it is not due. '
  'Example: select marketplace_internal.run_job(''cleanup_expired_guest_sessions'')';

create or replace function marketplace_internal.schedule_jobs() returns integer
  language plpgsql volatile set search_path = '' as $$
declare
  job record;
  scheduled integer := 0;
  is_there boolean;
begin
  if pg_catalog.to_regprocedure('cron.schedule(text,text,text)') is null then
    return 0;
  end if;
  for job in
    select j.job as name, j.cron, pg_catalog.format('select marketplace_internal.run_job(%L)', j.job) as command, j.needs
    from marketplace_internal.jobs j
    union all
    -- A block and no function: it commits each thousand, which holds the rollup's rows, and a function with a search path of its own may not.
    select 'send_unsent_events', '*/5 * * * *',
      'do $send$ declare until constant timestamptz := clock_timestamp() + interval ''5 minutes''; begin '
        'while marketplace_internal.send_unsent_events() > 0 and clock_timestamp() < until loop commit; end loop; end $send$',
      'marketplace_internal.send_unsent_events()'
  loop
    continue when pg_catalog.to_regprocedure(job.needs) is null;
    -- An operator who gave it another hour, or paused it, is not overruled.
    execute 'select exists (select from cron.job j where j.jobname = $1 and j.command = $2)' into is_there using job.name, job.command;
    if not is_there then
      execute 'select cron.schedule($1, $2, $3)' using job.name, job.cron, job.command;
    end if;
    scheduled := scheduled + 1;
  end loop;
  return scheduled;
end $$;
revoke all on function marketplace_internal.schedule_jobs() from public, anon, authenticated, service_role;
comment on function marketplace_internal.schedule_jobs() is
  'Has pg_cron run the jobs, where it is installed; returns how many it runs. Once is enough, more do not harm. Example: select marketplace_internal.schedule_jobs()';
