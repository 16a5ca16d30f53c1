-- Receipts, and what a platform registered or changed itself, are lost by no rollback: forced, it keeps them in marketplace_archive, from where
-- applying 0006 again takes them back.
drop function if exists marketplace_internal.unregistered_personal_tables();
drop function if exists marketplace_internal.forget_guest(uuid);
drop function if exists marketplace_internal.unconverted_sessions_with(uuid);
drop function if exists marketplace_internal.forget_account(uuid);
drop function if exists marketplace_internal.forget_person(uuid, uuid[], text[]);
drop function if exists marketplace_internal.export_queries(uuid);
drop function if exists marketplace_internal.columns_without_verdict(text);
drop function if exists marketplace_internal.unusable_personal_tables();
drop function if exists marketplace_internal.personal_assignments(marketplace_internal.personal_data);
drop function if exists marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]);
drop function if exists marketplace_internal.with_values(text, uuid, uuid[], text[]);
drop function if exists marketplace_internal.is_askable(regclass, text);
drop function if exists marketplace_internal.has_columns(regclass, text);
drop function if exists marketplace_internal.column_name(text);
drop function if exists marketplace_internal.personal_tables();
drop function if exists marketplace_internal.unshared_sessions(uuid, text[]);
drop function if exists marketplace_internal.analytics_sessions_of(uuid, uuid[]);
drop function if exists marketplace_internal.guest_sessions_of(uuid);
drop index if exists public.guest_sessions_converted_to_user_id_idx;
do $$
begin
  if to_regclass('marketplace_internal.personal_data') is not null then
    delete from marketplace_internal.personal_data p where p.shipped = md5((to_jsonb(p) - 'shipped')::text);
  end if;
end $$;
select marketplace_internal.remove_table('marketplace_internal.personal_data');
select marketplace_internal.remove_table('marketplace_internal.forget_receipts');
