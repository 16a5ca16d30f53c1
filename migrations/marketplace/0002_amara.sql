-- What people say to Amara, the chat assistant, and what she answers. Existing browser code reads and writes both tables straight through
-- supabase-js as the signed-in user, so row level security alone decides whose they are; the chat endpoint uses them the same way.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
begin
  if to_regprocedure('public.handle_updated_at()') is null then
    raise exception 'there is no function public.handle_updated_at()' using hint = '0001_ground.sql makes it: apply that first.';
  end if;
end $$;

create table if not exists public.amara_conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  locale text not null default 'en' check (locale in ('en', 'es')),
  is_active boolean not null default true,
  last_message_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.amara_conversations is 'Conversations of signed-in users with the assistant. A user sees and changes their own.';
comment on column public.amara_conversations.is_active is 'False when the user has closed it: nothing is added any more.';

create index if not exists amara_conversations_user_id_idx on public.amara_conversations (user_id);
create index if not exists amara_conversations_last_message_at_idx on public.amara_conversations (last_message_at);
create index if not exists amara_conversations_is_active_idx on public.amara_conversations (is_active) where is_active;

create or replace trigger set_amara_conversations_updated_at before update on public.amara_conversations
  for each row execute function public.handle_updated_at();

create table if not exists public.amara_messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references public.amara_conversations (id) on delete cascade,
  role text not null check (role in ('user', 'assistant', 'system')),
  content text not null,
  tool_calls jsonb,
  metadata jsonb,
  created_at timestamptz not null default now()
);
comment on table public.amara_messages is 'What was said in a conversation. Whose the conversation is, theirs are the messages.';
comment on column public.amara_messages.tool_calls is 'As the model gave them; null where it called none.';
comment on column public.amara_messages.metadata is 'Of an answer: model, usage, latency. Example: {"model": "gpt-4o-mini", "usage": {"total_tokens": 212}}';

create index if not exists amara_messages_conversation_id_idx on public.amara_messages (conversation_id);
create index if not exists amara_messages_created_at_idx on public.amara_messages (created_at);
create index if not exists amara_messages_role_idx on public.amara_messages (role);

alter table public.amara_conversations enable row level security;
alter table public.amara_messages enable row level security;
revoke all on public.amara_conversations, public.amara_messages from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.amara_conversations, public.amara_messages to authenticated, service_role;

drop policy if exists "Users read their conversations" on public.amara_conversations;
create policy "Users read their conversations" on public.amara_conversations
  for select to authenticated using (user_id = (select auth.uid()));
drop policy if exists "Users begin their conversations" on public.amara_conversations;
create policy "Users begin their conversations" on public.amara_conversations
  for insert to authenticated with check (user_id = (select auth.uid()));
drop policy if exists "Users change their conversations" on public.amara_conversations;
create policy "Users change their conversations" on public.amara_conversations
  for update to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
drop policy if exists "Users delete their conversations" on public.amara_conversations;
create policy "Users delete their conversations" on public.amara_conversations
  for delete to authenticated using (user_id = (select auth.uid()));
drop policy if exists "The service role manages conversations" on public.amara_conversations;
create policy "The service role manages conversations" on public.amara_conversations
  for all to service_role using (true) with check (true);

-- `in (a user's conversations)` and not `exists (… where id = conversation_id)`: the first is looked up once in a statement, the second
-- once in a row.
drop policy if exists "Users read messages of their conversations" on public.amara_messages;
create policy "Users read messages of their conversations" on public.amara_messages
  for select to authenticated
  using (conversation_id in (select id from public.amara_conversations where user_id = (select auth.uid())));
drop policy if exists "Users add messages to their conversations" on public.amara_messages;
create policy "Users add messages to their conversations" on public.amara_messages
  for insert to authenticated
  with check (conversation_id in (select id from public.amara_conversations where user_id = (select auth.uid())));
drop policy if exists "Users change messages of their conversations" on public.amara_messages;
create policy "Users change messages of their conversations" on public.amara_messages
  for update to authenticated
  using (conversation_id in (select id from public.amara_conversations where user_id = (select auth.uid())))
  with check (conversation_id in (select id from public.amara_conversations where user_id = (select auth.uid())));
drop policy if exists "Users delete messages of their conversations" on public.amara_messages;
create policy "Users delete messages of their conversations" on public.amara_messages
  for delete to authenticated
  using (conversation_id in (select id from public.amara_conversations where user_id = (select auth.uid())));
drop policy if exists "The service role manages messages" on public.amara_messages;
create policy "The service role manages messages" on public.amara_messages
  for all to service_role using (true) with check (true);

-- One row for each request to the chat endpoint, by which a retry is known and the share of failures counted. It outlives its conversation.
create table if not exists marketplace_internal.chat_requests (
  user_id uuid not null references auth.users (id) on delete cascade,
  idempotency_key text not null,
  body_hash bytea not null,
  conversation_id uuid references public.amara_conversations (id) on delete set null,
  answer_id uuid references public.amara_messages (id) on delete set null,
  state text not null default 'pending' check (state in ('pending', 'answered', 'failed')),
  error_code text,
  attempt integer not null default 1,
  failures integer not null default 0,
  started_at timestamptz not null default now(),
  question_at timestamptz,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (user_id, idempotency_key)
);
comment on table marketplace_internal.chat_requests is
  'Requests to the chat endpoint. The same key with the same body gets the same answer; with another body it is refused.';
comment on column marketplace_internal.chat_requests.idempotency_key is 'The caller''s, else one that the service made.';
comment on column marketplace_internal.chat_requests.error_code is 'Why the last attempt failed: timeout, cancelled, status, cut and so on.';
comment on column marketplace_internal.chat_requests.attempt is
  'How often the assistant was asked; all but the last had no answer. An attempt that was given up for dead writes no answer any more.';
comment on column marketplace_internal.chat_requests.failures is
  'How many attempts the assistant failed, or its process died in; those that the caller left are none.';
comment on column marketplace_internal.chat_requests.started_at is 'When the last attempt began; a pending one that is older than an answer may take is dead.';
comment on column marketplace_internal.chat_requests.question_at is 'created_at of the question''s message: an answer is to what was said up to there.';
create index if not exists chat_requests_conversation_id_idx on marketplace_internal.chat_requests (conversation_id);
create index if not exists chat_requests_answer_id_idx on marketplace_internal.chat_requests (answer_id);
create index if not exists chat_requests_created_at_idx on marketplace_internal.chat_requests (created_at);
