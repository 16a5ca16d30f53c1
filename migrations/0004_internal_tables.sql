-- What the services keep beside the events. Nothing here is for API roles: no grants but the owner's.

set local role events_owner;

create table events_internal.event_sources (
  source_id smallint generated always as identity primary key,
  name text not null unique,
  write_key text not null unique,
  secret_key_hash bytea unique,
  allowed_origins text[] not null default '{*}',
  user_ids text not null default 'verify' check (user_ids in ('trust', 'verify', 'drop')),
  events_per_second integer check (events_per_second > 0),
  enabled boolean not null default true,
  created_at timestamptz not null default now()
);
comment on table events_internal.event_sources is 'Who may send. source_id 0 is no source: rows inserted directly by SQL.';
comment on column events_internal.event_sources.write_key is 'Public, pk_…; names the source in browsers.';
comment on column events_internal.event_sources.secret_key_hash is 'sha256 of the text sk_…, for servers; the key itself is never stored.';
comment on column events_internal.event_sources.allowed_origins is 'Origins that may use the public key; * is any.';
comment on column events_internal.event_sources.user_ids is
  'What to do with a user_id sent with the public key, by which anyone can claim anything: trust it, verify it against the platform''s JWT, or drop it. '
  'The secret key is always trusted.';
comment on column events_internal.event_sources.events_per_second is 'Rate limit; null is none.';

create table events_internal.operator_tokens (
  token_hash bytea primary key,
  name text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
comment on table events_internal.operator_tokens is 'Tokens for the query side and the command line: sha256 of the text op_….';

create table events_internal.consumer_offsets (
  log_id text,
  topic text,
  topic_partition integer,
  next_offset bigint not null,
  updated_at timestamptz not null default now(),
  primary key (log_id, topic, topic_partition)
);
comment on table events_internal.consumer_offsets is
  'Up to where each log is in the table. Updated first in the transaction that loads, compared with what the loader expected: '
  'this is what makes it exactly once. log_id: the local log''s uuid, or Kafka''s cluster id and the topic''s id.';

create table events_internal.session_users (
  session_id text primary key,
  session_key bigint not null,
  user_id uuid not null,
  user_key bigint not null,
  first_created_at timestamptz not null,
  first_id uuid not null
);
create index session_users_session_key_idx on events_internal.session_users (session_key) include (user_key);
create index session_users_user_id_idx on events_internal.session_users (user_id);
comment on table events_internal.session_users is
  'A session belongs to the user of its earliest (created_at, id) event that carries both, whatever the order of arrival: '
  'an upsert keeps the smaller (first_created_at, first_id). Queries read through it, so a person who logs in half-way stays one.';

-- fillfactor 50: the open hour''s rows are updated by every batch, and so stay HOT.
create table events_internal.event_rollup_hourly (
  hour timestamptz,
  event_type text,
  shard smallint,
  n bigint not null,
  primary key (hour, event_type, shard)
) with (fillfactor = 50);
comment on table events_internal.event_rollup_hourly is
  'Events per UTC hour and type; the sum over the shards counts. A shard has one writer at a time, which keeps them from waiting for each other '
  '(one shared row, written early, cost 39 %): consumers use 0 to 15, direct inserts and corrections -1 and below. Kept when the raw rows are dropped.';

create table events_internal.dead_letters (
  dead_letter_id bigint generated always as identity primary key,
  source_id smallint,
  log_id text not null,
  topic text not null,
  topic_partition integer not null,
  record_offset bigint not null,
  line integer not null,
  event_id uuid,
  sqlstate text,
  reason text not null,
  message text,
  raw bytea not null,
  received_at timestamptz,
  dead_at timestamptz not null default now(),
  resolved_at timestamptz,
  resolution text,
  unique (log_id, topic, topic_partition, record_offset, line)
);
create index dead_letters_open_idx on events_internal.dead_letters (dead_at) where resolved_at is null;
comment on table events_internal.dead_letters is
  'Events that were acknowledged and could not be stored, with their bytes, where they came from, and why. line counts from 0 within the record.';

create table events_internal.quarantined_events (
  quarantine_id bigint generated always as identity primary key,
  source_id smallint,
  event_id uuid,
  event_type text,
  reason text not null check (reason in ('too_old', 'in_future')),
  created_at timestamptz,
  received_at timestamptz,
  raw bytea not null,
  quarantined_at timestamptz not null default now(),
  unique (event_id, created_at)
);
comment on table events_internal.quarantined_events is
  'Valid events outside the late window: kept apart, because no partition takes them. created_at is as claimed.';

reset role;
