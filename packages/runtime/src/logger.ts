import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/**
 * A JSON logger on standard output. Lines carry fixed keys and never an event's properties or an IP;
 * ERROR means that a person must act now.
 */
export function createLogger(options: { name: string; level: string }): Logger {
  return pino({ name: options.name, level: options.level, base: { name: options.name } })
}
