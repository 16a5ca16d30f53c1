/** The bounds of the last 30 and of the last 90 days, as dates. */
export interface Asked {
  to: string
  from30: string
  from90: string
}

const STEPS = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'PaymentAttempted', 'BookingConfirmed']

/** What is asked by HTTP. */
export function QUESTIONS({ to, from30, from90 }: Asked): [name: string, path: string, body: object][] {
  const funnel = { steps: STEPS, from: from30, to }
  const filtered = STEPS.map((event_type) => ({ event_type, where: [{ property: 'price', op: '<', value: 300_000 }] }))
  return [
    ['funnel 30 days', '/v1/funnel', funnel],
    ['funnel 30 days by city', '/v1/funnel', { ...funnel, breakdown: { property: 'city', at: 'first' } }],
    [
      'funnel 30 days by pro_id (5,000 values)',
      '/v1/funnel',
      { ...funnel, breakdown: { property: 'pro_id', at: 'first' } },
    ],
    [
      'funnel 30 days by request (all distinct)',
      '/v1/funnel',
      { ...funnel, breakdown: { property: 'request', at: 'first' } },
    ],
    ['funnel 30 days, each step filtered', '/v1/funnel', { ...funnel, steps: filtered }],
    [
      'funnel 30 days, trend by week',
      '/v1/funnel',
      { ...funnel, trend: { unit: 'week', time_zone: 'America/Bogota' } },
    ],
    ['funnel 30 days, unordered', '/v1/funnel', { ...funnel, mode: 'unordered' }],
    ['funnel 30 days, strict', '/v1/funnel', { ...funnel, mode: 'strict' }],
    ['funnel 30 days, strict_order', '/v1/funnel', { ...funnel, mode: 'strict_order' }],
    ['funnel 30 days, an exclusion', '/v1/funnel', { ...funnel, exclude: [{ event_type: 'Cancellation' }] }],
    ['funnel 30 days, a repeated step', '/v1/funnel', { ...funnel, steps: [STEPS[0], ...STEPS] }],
    ['funnel 90 days', '/v1/funnel', { ...funnel, from: from90 }],
    ['counts by day 90 days', '/v1/counts', { from: from90, to }],
    ['unique actors by day 90 days', '/v1/counts', { from: from90, to, unique: true }],
    [
      'unique actors of one type by day 90 days',
      '/v1/counts',
      { event_types: ['SearchStarted'], from: from90, to, unique: true },
    ],
    ['paths 30 days', '/v1/paths', { start: 'SearchStarted', from: from30, to }],
    [
      'retention by week 30 days',
      '/v1/retention',
      { first: 'SearchStarted', returning: 'BookingConfirmed', from: from30, to, unit: 'week', periods: 4 },
    ],
    ['active actors 30 days', '/v1/active-actors', { from: from30, to }],
  ]
}

/** As psql would ask. */
export function SQL({ to, from30, from90 }: Asked): [name: string, statement: string][] {
  const steps = `'${JSON.stringify(STEPS)}'`
  return [
    [
      'get_event_counts_by_type 90 days, odd edges',
      `select * from get_event_counts_by_type('${from90} 00:17:03Z', '${to} 00:00Z'::timestamptz - interval '13 min')`,
    ],
    ['event_counts by day 90 days', `select * from event_counts(null, '${from90}', '${to}')`],
    [
      'event_counts unique actors by day 90 days',
      `select * from event_counts(null, '${from90}', '${to}', p_unique => true)`,
    ],
    ['conversion_funnel 30 days', `select * from conversion_funnel(${steps}, '${from30}', '${to}')`],
    ['conversion_funnel 90 days', `select * from conversion_funnel(${steps}, '${from90}', '${to}')`],
    ['get_conversion_funnel 30 days', `select * from get_conversion_funnel('${from30}', '${to}')`],
    ['funnel_times 30 days', `select * from funnel_times('${JSON.stringify({ steps: STEPS, from: from30, to })}')`],
    ['paths 30 days', `select * from paths('SearchStarted', null, '${from30}', '${to}')`],
    [
      'retention by week 30 days',
      `select * from retention('SearchStarted', 'BookingConfirmed', '${from30}', '${to}', 'week', 4)`,
    ],
    ['active_actors 30 days', `select * from active_actors('${from30}', '${to}')`],
  ]
}

/** As much of an answer as tells whether two agree. */
export function ANSWERS(answer: unknown): unknown {
  const { steps, counts } = answer as { steps?: { actors: number }[]; counts?: unknown[] }
  return steps?.map(({ actors }) => actors) ?? counts?.length
}
