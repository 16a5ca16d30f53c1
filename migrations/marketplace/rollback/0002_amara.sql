-- Messages before conversations, and first what refers to both.
select marketplace_internal.remove_table('marketplace_internal.chat_requests');
select marketplace_internal.remove_table('public.amara_messages');
select marketplace_internal.remove_table('public.amara_conversations');
