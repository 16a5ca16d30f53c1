-- The funnel as people call it.

set local role events_owner;

create function public.get_conversion_funnel(
  p_start_date timestamptz default now() - interval '30 days', p_end_date timestamptz default now()
) returns table (stage text, unique_users bigint, conversion_rate numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select (array['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed'])[w.step],
         w.actors,
         round(100.0 * w.actors / nullif(first_value(w.actors) over (order by w.step), 0), 2)
  from events_internal.checked_funnel(
    current_user, array['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed'],
    p_start_date, p_end_date, true, interval '7 days') w
  order by w.step;
end;
revoke all on function public.get_conversion_funnel(timestamptz, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.get_conversion_funnel(timestamptz, timestamptz) to authenticated, service_role, events_reader;
comment on function public.get_conversion_funnel(timestamptz, timestamptz) is
  'The booking funnel: people, guests included, who went through the stages in this order within 7 days, every event in [p_start_date, p_end_date]. '
  'conversion_rate is percent of the first stage, null when that is 0. For admins, events_reader and service_role. '
  'Example: select * from get_conversion_funnel(now() - interval ''7 days'')';

create function public.conversion_funnel(
  p_steps text[], p_from timestamptz, p_to timestamptz, p_window interval default '7 days'
) returns table (step int, event_type text, actors bigint, from_previous numeric, from_first numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select w.step,
         p_steps[w.step],
         w.actors,
         round(w.actors::numeric / nullif(lag(w.actors, 1, w.actors) over (order by w.step), 0), 6),
         round(w.actors::numeric / nullif(first_value(w.actors) over (order by w.step), 0), 6)
  from events_internal.checked_funnel(current_user, p_steps, p_from, p_to, false, p_window) w
  order by w.step;
end;
revoke all on function public.conversion_funnel(text[], timestamptz, timestamptz, interval) from public, anon, authenticated, service_role;
grant execute on function public.conversion_funnel(text[], timestamptz, timestamptz, interval) to authenticated, service_role, events_reader;
comment on function public.conversion_funnel(text[], timestamptz, timestamptz, interval) is
  'Any ordered funnel of event types: who reached each step, every event in [p_from, p_to), the last at most p_window after the first. '
  'Rates are fractions of 1, null where they would divide by 0. For admins, events_reader and service_role. '
  'Example: select * from conversion_funnel(array[''SearchStarted'', ''BookingConfirmed''], now() - interval ''30 days'', now(), ''1 day'')';

reset role;
