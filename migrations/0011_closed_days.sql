-- Which days retention has closed, so that a day is closed once and a kill in the middle is made good.

set local role events_owner;

create table events_internal.closed_days (
  day date primary key,
  closed_at timestamptz not null default now()
);
comment on table events_internal.closed_days is
  'Days that are over and fit for reading: GIN over properties built, covering index rebuilt, rows frozen. Late rows still go in. '
  'Written last, so that a day which is not here may be half closed.';

reset role;
