import { text, type VerbInput } from './verb.ts'

/** The options of every verb that asks about a period. */
export const periodOptions = { from: { type: 'string' }, to: { type: 'string' } } as const
export const PERIOD_HELP = [
  '--from <time>   ISO 8601 (2026-11-24T09:30:00Z), a date, or so long ago: 24h, 7d; 30 days ago unless told',
  '--to <time>     the same; now unless told',
]

const UNITS = { h: 3_600_000, d: 86_400_000 }

/** The period as the query side takes it; what it does not understand it says itself. */
export function periodOf(input: VerbInput, nowMs = Date.now()): { from?: string; to?: string } {
  const period: { from?: string; to?: string } = {}
  for (const name of ['from', 'to'] as const) {
    const given = text(input, name)
    if (given !== undefined) period[name] = instant(given, nowMs)
  }
  return period
}

function instant(given: string, nowMs: number): string {
  const ago = /^(\d{1,5})([hd])$/.exec(given)
  return ago === null ? given : new Date(nowMs - Number(ago[1]) * UNITS[ago[2] as 'h' | 'd']).toISOString()
}
