import type { OracleFunnel } from './funnel.ts'
import type { OracleMatch } from './matches.ts'

const DAY = 86_400_000_000

/** The definition as the JSON that SQL and the API take. */
export function toJson(funnel: OracleFunnel): Record<string, unknown> {
  return {
    steps: funnel.steps.map(({ optional, name, ...match }) => ({
      ...matchToJson(match),
      ...(optional ? { optional } : {}),
      ...(name === match.eventTypes.join(' or ') ? {} : { name }),
    })),
    from: isoOf(funnel.from),
    to: isoOf(funnel.to),
    window: durationOf(funnel.window),
    mode: funnel.mode,
    unit: funnel.unit,
    ...(funnel.exclude.length > 0
      ? {
          exclude: funnel.exclude.map(({ after, before, ...match }) => ({ ...matchToJson(match), after, before })),
        }
      : {}),
  }
}

function matchToJson({ eventTypes, where }: OracleMatch): Record<string, unknown> {
  return {
    ...(eventTypes.length === 1 ? { event_type: eventTypes[0] } : { event_types: eventTypes }),
    ...(where.length > 0 ? { where } : {}),
  }
}

/** Microseconds since 1970 as an ISO 8601 time in UTC with all six decimals. */
export function isoOf(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = String(micros - seconds * 1_000_000).padStart(6, '0')
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `.${fraction}Z`)
}

/** Microseconds since 1970 of an ISO 8601 time in UTC with up to six decimals. */
export function microsOf(iso: string): number {
  const [, whole, fraction = ''] = /^(.*?)(?:\.(\d{1,6}))?(?:Z|\+00(?::00)?)$/.exec(iso)!
  return Date.parse(`${whole!.replace(' ', 'T')}Z`) * 1000 + Number(fraction.padEnd(6, '0'))
}

/** Microseconds as an ISO 8601 duration: whole days as days, the rest in seconds. */
export function durationOf(micros: number): string {
  const days = Math.floor(micros / DAY)
  const rest = micros - days * DAY
  const seconds = `${Math.floor(rest / 1_000_000)}.${String(rest % 1_000_000).padStart(6, '0')}`.replace(/\.?0+$/, '')
  return `P${days > 0 ? `${days}D` : ''}${rest > 0 ? `T${seconds === '' ? '0' : seconds}S` : ''}`
}
