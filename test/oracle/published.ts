import { draw } from './drawn.ts'
import type { OracleEvent } from './events.ts'
import type { OracleExclusion, OracleFunnel, OracleStep } from './funnel.ts'

/**
 * A case that somebody else published, drawn (see drawn.ts): a person per drawing, in units of time in which the window counts.
 * `reached` is how many reach each step; where the source counts otherwise, `theirs` says how, and `why` why we differ.
 */
export interface PublishedCase {
  source: string
  what: string
  people: string[]
  steps: (string | Partial<OracleStep>)[]
  mode?: OracleFunnel['mode']
  window?: number
  exclude?: OracleExclusion[]
  reached: number[]
  theirs?: number[]
  why?: string
}

/** Found under https://clickhouse.com/docs/sql-reference/aggregate-functions/parametric-functions#windowfunnel too. */
const CLICKHOUSE_DOCS =
  'https://github.com/ClickHouse/ClickHouse/blob/master/docs/en/sql-reference/aggregate-functions/parametric-functions.md#windowfunnel'
/** With its answers in the .reference file beside it. */
const CLICKHOUSE_TESTS =
  'https://github.com/ClickHouse/ClickHouse/blob/master/tests/queries/0_stateless/00632_aggregation_window_funnel.sql'
/** Source of https://posthog.com/docs/product-analytics/funnels. */
const POSTHOG_DOCS = 'https://github.com/PostHog/posthog.com/blob/master/contents/docs/product-analytics/funnels.mdx'
const POSTHOG_TESTS =
  'https://github.com/PostHog/posthog/blob/master/posthog/hogql_queries/insights/funnels/test/test_funnel.py'
const POSTHOG_OPTIONAL_TESTS =
  'https://github.com/PostHog/posthog/blob/master/posthog/hogql_queries/insights/funnels/test/test_funnel_udf.py'

const OVERLOOKS =
  'ClickHouse’s strict_order stops at a row of no step, too. Ours looks at rows of the funnel’s steps alone, as ClickHouse does where the query’s WHERE leaves no others; mode strict is for any row.'
const ANEW =
  'A chain may begin anew after a foreign step: who starts over is not lost. ClickHouse has allow_reentry for it.'
const ONE_ROW = 'One event serves one step of a chain; ClickHouse has strict_once for it.'
const STAYS =
  'An exclusion breaks the chains that it falls into, and the person keeps what another chain reached. PostHog leaves such a person out of the whole funnel.'

const SIX = [
  'a1 b2 c3',
  'a1 d2 b3 c4',
  'a1 a2 b3 b4 c5 c6',
  'a1 a2 a3 a4 b5 b6 c7 c8',
  'a1 a2 b3 b4 d5 c6 c7',
  'c1 c2 b3 b4 a5 a6',
]
const EIGHT = ['A1 B2 C3 D4 E5 F6 G7 H8']
const noX = (after: number, before: number): OracleExclusion => ({ eventTypes: ['x'], where: [], after, before })
const THREE_WITH_X = ['s10 p20 x30 v40 x45 i50 x55 q60', 's10 p20 v40 x45 i50 x55 q60', 's10 x15 p20 v40 i50 x55 q60']
const FIVE = ['s', 'p', 'v', 'i', 'q']
const optional = (eventType: string): Partial<OracleStep> => ({ eventTypes: [eventType], optional: true })

export const PUBLISHED: PublishedCase[] = [
  {
    source: CLICKHOUSE_DOCS,
    what: 'the example: logged in (l), ordered (o), searched for a phone (s), ordered again (r), in hours',
    people: ['l34 o56 s81 r104'],
    steps: ['l', 'o', 's', 'r'],
    reached: [1, 1, 1, 1],
  },
  {
    source: CLICKHOUSE_DOCS,
    what: 'strict_order: A->B->D->C ends at D, level 2, where D is a step',
    people: ['A1 B2 D3 C4'],
    steps: ['A', 'B', 'C', 'D'],
    mode: 'strict_order',
    reached: [1, 1, 0, 0],
  },
  {
    source: CLICKHOUSE_DOCS,
    what: 'strict_order: A->B->D->C where D is no step',
    people: ['A1 B2 D3 C4'],
    steps: ['A', 'B', 'C'],
    mode: 'strict_order',
    reached: [1, 1, 1],
    theirs: [1, 1, 0],
    why: OVERLOOKS,
  },
  {
    source: CLICKHOUSE_DOCS,
    what: 'the same asked with mode strict: nothing at all between',
    people: ['A1 B2 D3 C4'],
    steps: ['A', 'B', 'C'],
    mode: 'strict',
    reached: [1, 1, 0],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'a window of 2 holds three events a unit apart',
    people: EIGHT,
    steps: ['C', 'D', 'E', 'F', 'G'],
    window: 2,
    reached: [1, 1, 1, 0, 0],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'a window of 4 holds five',
    people: EIGHT,
    steps: ['C', 'D', 'E', 'F', 'G'],
    window: 4,
    reached: [1, 1, 1, 1, 1],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'events between do not matter, their order does',
    people: EIGHT,
    steps: ['H', 'A'],
    reached: [1, 0],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'steps that overlap (event <= 1007, >= 1002, <= 1006, >= 1004)',
    people: EIGHT,
    steps: ['ABCDEFG', 'BCDEFGH', 'ABCDEF', 'DEFGH'].map((letters) => ({ eventTypes: [...letters], name: letters })),
    window: 4,
    reached: [1, 1, 1, 1],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'six people, by default',
    people: SIX,
    steps: ['a', 'b', 'c'],
    reached: [6, 5, 5],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'the six, strict_order',
    people: SIX,
    steps: ['a', 'b', 'c'],
    mode: 'strict_order',
    reached: [6, 5, 5],
    theirs: [6, 4, 3],
    why: OVERLOOKS,
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'the six without what is no step, strict_order',
    people: SIX.map((drawn) => drawn.replace(/ d\d/, '')),
    steps: ['a', 'b', 'c'],
    mode: 'strict_order',
    reached: [6, 5, 5],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'strict_order: a step too early',
    people: ['a1 c2 b3'],
    steps: ['a', 'b', 'c'],
    mode: 'strict_order',
    reached: [1, 0, 0],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'strict_deduplication, which we have not: a repeat does no harm',
    people: ['a1 b2 c3 b4 d5'],
    steps: ['a', 'b', 'c', 'd'],
    reached: [1, 1, 1, 1],
    theirs: [1, 1, 1, 0],
    why: 'People reload pages; who does not want the repeat excludes it, or asks with strict_order.',
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'the same in strict_order',
    people: ['a1 b2 c3 b4 d5'],
    steps: ['a', 'b', 'c', 'd'],
    mode: 'strict_order',
    reached: [1, 1, 1, 0],
    theirs: [1, 1, 1, 1],
    why: 'Between c and d stand only c and d; ClickHouse overlooks there a step that lies further back, though in “a b a c” it stops.',
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'strict_order without allow_reentry: who starts over in the middle',
    people: ['a1 b2 a3 c4', 'a1 b2 a3 b4 c5', 'a1 b2 c3 b4 d5', 'a1 c2 b3', 'a1 b2 c3 a4 b5 c6 d7'],
    steps: ['a', 'b', 'c'],
    mode: 'strict_order',
    reached: [5, 4, 3],
    theirs: [5, 4, 2],
    why: ANEW,
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'the same with four steps',
    people: ['a1 b2 a3 c4', 'a1 b2 a3 b4 c5', 'a1 b2 c3 b4 d5', 'a1 c2 b3', 'a1 b2 c3 a4 b5 c6 d7'],
    steps: ['a', 'b', 'c', 'd'],
    mode: 'strict_order',
    reached: [5, 4, 3, 1],
    theirs: [5, 4, 2, 1],
    why: ANEW,
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'equal times count as in order; strict_increase, which we have not, reaches 2',
    people: ['A0 B1 C1 D1 E2'],
    steps: ['A', 'B', 'C', 'D', 'E'],
    reached: [1, 1, 1, 1, 1],
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'one event, asked for three times',
    people: ['E2'],
    steps: ['E', 'E', 'E'],
    reached: [1, 0, 0],
    theirs: [1, 1, 1],
    why: ONE_ROW,
  },
  {
    source: CLICKHOUSE_TESTS,
    what: 'strict_once: failed, failed, succeeded',
    people: ['f100 f250', 's200 f210 s230', 'f180 f220 s250'],
    steps: ['f', 'f', 's'],
    window: 200,
    reached: [3, 2, 1],
  },
  {
    source: POSTHOG_DOCS,
    what: 'sequential: any number of events between A and B',
    people: ['A1 X2 X3 B4', 'B1 A2'],
    steps: ['A', 'B'],
    reached: [2, 1],
  },
  {
    source: POSTHOG_DOCS,
    what: 'strict order: B directly after A, without any events in between',
    people: ['A1 B2', 'A1 X2 B3'],
    steps: ['A', 'B'],
    mode: 'strict',
    reached: [2, 1],
  },
  {
    source: POSTHOG_DOCS,
    what: 'any order: in any sequence',
    people: ['A1 B2', 'B1 X2 A3', 'B1'],
    steps: ['A', 'B'],
    mode: 'unordered',
    reached: [3, 2],
  },
  {
    source: POSTHOG_DOCS,
    what: 'duplicate steps: the same event type twice wants two events',
    people: ['A1', 'A1 A2'],
    steps: ['A', 'A'],
    reached: [2, 1],
  },
  {
    source: POSTHOG_TESTS,
    what: 'repeated steps (test_advanced_funnel_with_repeat_steps)',
    people: ['s1', 's1 p2', 's1 p2 b3 p4', 's1 p2 b3 p4 p5 b6', 's1 p2 p3 p4 p5'],
    steps: ['s', 'p', 'p', 'p', 'p'],
    reached: [5, 4, 3, 2, 1],
  },
  {
    source: POSTHOG_TESTS,
    what: 'an exclusion over the whole funnel (test_funnel_exclusions_full_window)',
    people: ['s60 p120', 's180 x210 p240', 's300 p360'],
    steps: ['s', 'p'],
    exclude: [noX(1, 2)],
    reached: [3, 2],
    theirs: [2, 2],
    why: STAYS,
  },
  // PostHog counts [2, 2, 2, 2, 2], [2, …], [1, …], [0, …] and [1, …]: the last step is the same, who was thrown out is missing before.
  ...[
    { after: 1, before: 2, reached: [3, 2, 2, 2, 2], theirs: [2, 2, 2, 2, 2] },
    { after: 2, before: 3, reached: [3, 3, 2, 2, 2], theirs: [2, 2, 2, 2, 2] },
    { after: 3, before: 4, reached: [3, 3, 3, 1, 1], theirs: [1, 1, 1, 1, 1] },
    { after: 4, before: 5, reached: [3, 3, 3, 3, 0], theirs: [0, 0, 0, 0, 0] },
    { after: 2, before: 4, reached: [3, 3, 2, 1, 1], theirs: [1, 1, 1, 1, 1] },
  ].map(({ after, before, ...counts }) => ({
    source: POSTHOG_TESTS,
    what: `an exclusion between steps ${after} and ${before} (test_advanced_funnel_exclusions_between_steps)`,
    people: THREE_WITH_X,
    steps: FIVE,
    exclude: [noX(after, before)],
    ...counts,
    why: STAYS,
  })),
  {
    source: POSTHOG_OPTIONAL_TESTS,
    what: 'optional steps (test_funnel_with_optional_steps)',
    people: [
      '1a0',
      '1a0 2a1 3a2',
      '1a0 3a2',
      '1a0 2a1 3a2 4a3 5a4',
      '1a0 2a1 3a2 5a4',
      '1a0 3a2 4a3',
      '1a0 3a2 4a3 5a4',
      '1a0 3a2 5a4',
    ],
    steps: ['1a', optional('2a'), '3a', optional('4a'), '5a'],
    reached: [8, 3, 7, 3, 4],
  },
  {
    source: POSTHOG_OPTIONAL_TESTS,
    what: 'optional steps of one event type (test_funnel_with_optional_steps_same_event); the URL as a type of its own',
    people: ['e0', 'e0 e1', 'e0 e1 e2', 'e0 u1 e2'],
    steps: [{ eventTypes: ['e', 'u'] }, { eventTypes: ['e', 'u'], optional: true }, 'u', { eventTypes: ['e', 'u'] }],
    reached: [4, 2, 1, 1],
  },
]

/** A case's events: each drawing a guest with a session of their own. */
export function eventsOf({ people }: PublishedCase): OracleEvent[] {
  return people.flatMap((drawn, person) =>
    draw(drawn).map((event) => ({
      ...event,
      id: event.id.replace(/^.{8}/, String(person).padStart(8, '0')),
      sessionId: `person ${person}`,
    })),
  )
}
