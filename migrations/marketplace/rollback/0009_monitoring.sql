drop function if exists public.get_marketplace_monitoring();
drop function if exists marketplace_internal.monitoring(name);
drop function if exists marketplace_internal.row_security_cost(regclass, uuid, name);
drop function if exists marketplace_internal.query_times(integer);
drop view if exists marketplace_internal.index_usage;
drop view if exists marketplace_internal.table_sizes;
drop view if exists marketplace_internal.booking_attribution;
drop view if exists marketplace_internal.job_success;
drop view if exists marketplace_internal.guest_sessions_per_hour;
drop view if exists marketplace_internal.chat_errors_per_hour;
drop view if exists marketplace_internal.conversation_length;
drop view if exists marketplace_internal.messages_per_conversation;
drop view if exists marketplace_internal.conversation_sizes;
drop view if exists marketplace_internal.conversations_per_hour;
-- With its trigger on guest_sessions.
drop function if exists marketplace_internal.count_removed_guest_sessions() cascade;
-- Forced, it keeps the counts in marketplace_archive, from where applying 0009 again takes them back.
select marketplace_internal.remove_table('marketplace_internal.guest_session_hours');
