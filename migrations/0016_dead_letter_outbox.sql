-- What is on its way to the topic for dead letters, platform.events.dlq.v1, where there is a Kafka. The row is written with the letter
-- and removed when Kafka has it: so a letter is published at least once, whatever is killed.
--
-- A table of its own and no column of dead_letters: its rows are locked while Kafka is waited for, and an operator who replays
-- a letter must not wait for that.

set local role events_owner;

create table events_internal.dead_letter_outbox (
  dead_letter_id bigint primary key
);
comment on table events_internal.dead_letter_outbox is
  'Dead letters that are not on the Kafka topic for them yet. Empty on the local log.';

alter table events_internal.dead_letters add column record_key bytea;
comment on column events_internal.dead_letters.record_key is 'The key of the record that the line came in; null: none, or longer than a key of ours.';

-- Those of before that came over Kafka (a log_id of cluster and topic) and still wait for somebody.
insert into events_internal.dead_letter_outbox
select l.dead_letter_id from events_internal.dead_letters l where l.resolved_at is null and l.log_id like '%:%';

reset role;
