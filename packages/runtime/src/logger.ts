import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/**
 * A JSON logger. Lines carry fixed keys and never an event's properties or an IP; ERROR means that a person must act now.
 *
 * @param options.file where the lines go; absent: standard output
 */
export function createLogger(options: { name: string; level: string; file?: string }): Logger {
  const settings = { level: options.level, base: { name: options.name } }
  if (options.file === undefined) return pino(settings)
  // Opened and written at once: a file that cannot be opened is an error of the caller's, and a kill loses no line.
  const destination = pino.destination({ dest: options.file, sync: true })
  // A full disk costs log lines, not the process.
  destination.on('error', () => undefined)
  return pino(settings, destination)
}
