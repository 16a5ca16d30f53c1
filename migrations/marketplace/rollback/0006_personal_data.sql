-- The registry goes as it is: what was registered by hand is kept where force is on, and so are the receipts.
drop function if exists marketplace_internal.unregistered_personal_tables();
drop function if exists marketplace_internal.forget_account(uuid);
drop function if exists marketplace_internal.export_queries(uuid);
drop function if exists marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]);
drop function if exists marketplace_internal.has_columns(regclass, text);
drop function if exists marketplace_internal.personal_tables();
drop function if exists marketplace_internal.analytics_sessions_of(uuid, uuid[]);
drop function if exists marketplace_internal.guest_sessions_of(uuid);
drop function if exists marketplace_internal.guest_session_of_nobody();
drop index if exists public.guest_sessions_converted_to_user_id_idx;
drop table if exists marketplace_internal.personal_data;
select marketplace_internal.remove_table('marketplace_internal.forget_receipts');
