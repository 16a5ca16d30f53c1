-- Loss events: where a stored offset and its log do not meet. What lies between is gone, or may be; an operator must see it
-- until they say that they have.

set local role events_owner;

create table events_internal.loss_events (
  loss_id bigint generated always as identity primary key,
  log_id text not null,
  topic text not null,
  topic_partition integer not null,
  reason text not null check (reason in ('overtaken', 'past_end', 'log_replaced')),
  stored_offset bigint not null,
  resumed_offset bigint,
  new_log_id text,
  records_lost bigint,
  detected_at timestamptz not null default now(),
  acknowledged_at timestamptz,
  acknowledged_by text,
  note text,
  check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index loss_events_topic_partition_idx on events_internal.loss_events (topic, topic_partition, log_id, detected_at);
create index loss_events_open_idx on events_internal.loss_events (loss_id) where acknowledged_at is null;
comment on table events_internal.loss_events is
  'Gaps between what was stored and what the log still has, each written once, by the consumer that met it, in the transaction that moves the offset.';
comment on column events_internal.loss_events.reason is
  'overtaken: the log begins behind the stored offset (retention was faster than we, or Postgres was put back from a copy older than the log). '
  'past_end: the log ends before it (its tail is lost, or the offset was set by hand). '
  'log_replaced: the topic, or the local log, was made anew; whether everything in the former one had been stored, nobody can say.';
comment on column events_internal.loss_events.resumed_offset is 'Where delivery went on, in the same log; null where that log is gone.';
comment on column events_internal.loss_events.new_log_id is 'log_replaced: the log that took its place.';
comment on column events_internal.loss_events.records_lost is 'Records (not events) between the two offsets; null: unknown.';

create function events_internal.acknowledge_loss(p_id bigint, p_by text, p_note text default null) returns boolean
  language sql volatile set search_path = '' as $$
    with acknowledged as (
      update events_internal.loss_events l
      set acknowledged_at = now(), acknowledged_by = p_by, note = p_note
      where l.loss_id = p_id and l.acknowledged_at is null
      returning 1
    )
    select exists (select from acknowledged)
  $$;
revoke all on function events_internal.acknowledge_loss(bigint, text, text) from public, anon, authenticated, service_role;
comment on function events_internal.acknowledge_loss(bigint, text, text) is
  'Says that somebody has seen a loss event, e.g. select events_internal.acknowledge_loss(7, ''ana'', ''replayed from the backup''). '
  'False where it is not there, or was acknowledged before: the first to say so stays.';

reset role;
