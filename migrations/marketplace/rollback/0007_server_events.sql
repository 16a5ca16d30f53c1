-- The platform's tables go on without their events; what was emitted stays in platform_events. Refuses while events wait, and while it is
-- known which rows had theirs: a booking confirmed again after the next migration would be counted again.

-- With cascade go the triggers, also those that the platform attached; nothing else can depend on a trigger function.
drop function if exists marketplace_internal.emit_event_of_row() cascade;
drop function if exists marketplace_internal.emit_events_of(regclass, text, jsonb, jsonb, jsonb, text);
drop function if exists marketplace_internal.actor_of_row(jsonb, jsonb);
drop function if exists marketplace_internal.send_unsent_events();
drop function if exists marketplace_internal.send_unsent_events(bigint[]);
drop function if exists public.emit_event(text, jsonb, uuid, text, text);
drop function if exists marketplace_internal.emit_event(text, jsonb, uuid, text, text);
select marketplace_internal.remove_table('marketplace_internal.unsent_events');
select marketplace_internal.remove_table('marketplace_internal.emitted_events');
