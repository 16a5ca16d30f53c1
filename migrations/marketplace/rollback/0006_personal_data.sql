-- Receipts, and what a platform registered itself, are lost by no rollback.
drop function if exists marketplace_internal.unregistered_personal_tables();
drop function if exists marketplace_internal.forget_account(uuid);
drop function if exists marketplace_internal.export_queries(uuid);
drop function if exists marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]);
drop function if exists marketplace_internal.has_columns(regclass, text);
drop function if exists marketplace_internal.personal_tables();
drop function if exists marketplace_internal.analytics_sessions_of(uuid, uuid[]);
drop function if exists marketplace_internal.guest_sessions_of(uuid);
drop index if exists public.guest_sessions_converted_to_user_id_idx;
do $$
begin
  if to_regclass('marketplace_internal.personal_data') is not null then
    delete from marketplace_internal.personal_data
    where relation in ('public.amara_messages', 'marketplace_internal.chat_requests', 'public.amara_conversations', 'public.payments', 'public.booking_reviews',
      'public.bookings', 'public.notifications', 'public.searches', 'public.referrals', 'marketplace_internal.unsent_events', 'public.guest_sessions',
      'public.platform_events', 'events_internal.session_users', 'events_internal.platform_events_before', 'events_internal.dead_letters',
      'events_internal.quarantined_events', 'events_internal.deleted_users', 'events_internal.forgotten_sessions', 'public.customers', 'public.profiles', 'auth.users');
  end if;
end $$;
select marketplace_internal.remove_table('marketplace_internal.personal_data');
select marketplace_internal.remove_table('marketplace_internal.forget_receipts');
