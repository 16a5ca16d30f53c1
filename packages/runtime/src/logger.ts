import { lstatSync, renameSync } from 'node:fs'
import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/** Of lines that a full disk does not take; what is more is gone. */
const WAITING_BYTES = 1024 * 1024

const FILE_BYTES = 64 * 1024 * 1024

/**
 * A JSON logger. Lines carry fixed keys and never an event's properties or an IP; ERROR means that a person must act now.
 *
 * @param options.file where the lines go; absent: standard output
 * @param options.fileBytes a file of this size becomes `<file>.1`, in the place of the one before; 64 MiB unless told
 */
export function createLogger(options: { name: string; level: string; file?: string; fileBytes?: number }): Logger {
  const settings = { level: options.level, base: { name: options.name } }
  if (options.file === undefined) return pino(settings)
  // Opened and written at once: a file that cannot be opened is an error of the caller's, and a kill loses no line.
  const destination = pino.destination({ dest: options.file, sync: true, maxLength: WAITING_BYTES })
  // A full disk costs log lines, not the process.
  destination.on('error', () => undefined)
  moveAside(destination, options.file, options.fileBytes ?? FILE_BYTES)
  return pino(settings, destination)
}

function moveAside(destination: ReturnType<typeof pino.destination>, file: string, fileBytes: number): void {
  const found = lstatSync(file)
  // Neither a device nor a link to one.
  if (!found.isFile()) return
  let bytes = found.size
  destination.on('write', (written) => {
    bytes += written
    if (bytes < fileBytes) return
    bytes = 0
    try {
      renameSync(file, `${file}.1`)
      destination.reopen()
    } catch {
      // It goes on where it is.
    }
  })
}
