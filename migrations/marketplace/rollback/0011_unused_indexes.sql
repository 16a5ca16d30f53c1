-- What brings a dropped index back would be lost with its table: a row keeps it.
select marketplace_internal.remove_table('marketplace_internal.dropped_indexes');
drop function if exists marketplace_internal.unused_indexes(timestamptz);
drop function if exists marketplace_internal.statistics_since();
