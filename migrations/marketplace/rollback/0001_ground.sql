-- What was made here and nobody uses or filled since goes; a minimal table that holds rows stays, as does what stands on it. The memberships
-- in the API's roles stay: they are the cluster's, and other databases of it may need them.

do $$
declare
  minimal text;
  is_empty boolean;
begin
  -- What refers to another comes before it.
  foreach minimal in array array['booking_reviews', 'payments', 'searches', 'notifications', 'referrals', 'bookings', 'customers'] loop
    continue when to_regclass(format('public.%I', minimal)) is null;
    -- A table of the platform's may have no comment at all.
    continue when coalesce(obj_description(to_regclass(format('public.%I', minimal)), 'pg_class'), '')
      not like 'Minimal form for development and tests, %';
    begin
      execute format('lock table public.%I in access exclusive mode', minimal);
      execute format('select not exists (select from public.%I)', minimal) into is_empty;
      if is_empty then execute format('drop table public.%I', minimal); end if;
    exception when dependent_objects_still_exist then
      null;
    end;
  end loop;

  if obj_description(to_regprocedure('public.handle_updated_at()'), 'pg_proc') like 'Made by the marketplace module. %' then
    begin
      drop function public.handle_updated_at();
    exception when dependent_objects_still_exist then
      null;
    end;
  end if;
end $$;

drop function if exists marketplace_internal.take_back_rows(text);
drop function if exists marketplace_internal.remove_table(text);

-- The schema stays for the runner's ledger, which removes both with the last file.
comment on schema marketplace_internal is null;
