-- Nothing is run by the clock any more, by pg_cron neither.
do $$
declare
  scheduled record;
begin
  if to_regclass('cron.job') is not null then
    for scheduled in execute $sql$
      select j.jobid from cron.job j where j.database = current_database()
        and (j.command like '%marketplace_internal.run_job(%' or j.command like '%marketplace_internal.send_unsent_events(%')$sql$
    loop
      execute 'select cron.unschedule($1)' using scheduled.jobid;
    end loop;
  end if;
end $$;

drop function if exists marketplace_internal.schedule_jobs();
drop function if exists marketplace_internal.run_job(text, boolean);
drop function if exists marketplace_internal.job_states();
drop function if exists marketplace_internal.cron_jobs();
drop function if exists marketplace_internal.drop_old_days();
drop function if exists marketplace_internal.cleanup_chat_requests();
select marketplace_internal.remove_table('marketplace_internal.job_runs');
drop table if exists marketplace_internal.jobs;
