-- The tables are as they were: made again from their definitions, or moved back with their rows.

select marketplace_internal.restore_dropped_tables();

drop function marketplace_internal.restore_dropped_tables();
drop function marketplace_internal.drop_deprecated_tables(text[], boolean);
drop function marketplace_internal.archive_table(regclass, regclass[]);
drop function marketplace_internal.why_not_dropped(regclass, regclass[]);
drop function marketplace_internal.lock_tables(regclass[]);
drop function marketplace_internal.table_dependents(regclass, regclass[]);
drop function marketplace_internal.table_definition(regclass);
drop function marketplace_internal.sequence_options(oid);
drop function marketplace_internal.revoke_grants(regclass);
drop function marketplace_internal.grants_of(regclass);
drop table marketplace_internal.dropped_tables;
