import type { OracleEvent } from './events.ts'
import type { OracleFunnel, OracleStep } from './funnel.ts'

/** One person's events as text: `A1 B2` is an A in microsecond 1 and a B in microsecond 2; rows of one microsecond have ascending ids. */
export type Drawn = string

export function draw(drawn: Drawn): OracleEvent[] {
  return drawn.split(' ').map((word, index) => ({
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    eventType: word.replace(/\d+$/, ''),
    userId: null,
    sessionId: 's',
    properties: {},
    at: Number(/\d+$/.exec(word)![0]),
    sourceId: 0,
  }))
}

/** A funnel over all of time with a window of 1000 microseconds, unless changed. */
export function funnelOf(steps: (string | Partial<OracleStep>)[], changes: Partial<OracleFunnel> = {}): OracleFunnel {
  return {
    steps: steps.map((step) =>
      typeof step === 'string'
        ? { eventTypes: [step], where: [], optional: false, name: step }
        : { eventTypes: [], where: [], optional: false, name: (step.eventTypes ?? []).join(' or '), ...step },
    ),
    from: 0,
    to: 1_000_000,
    window: 1000,
    mode: 'ordered',
    unit: 'actor',
    exclude: [],
    ...changes,
  }
}
