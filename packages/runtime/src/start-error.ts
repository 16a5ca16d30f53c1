import { reasonOf } from './reason.ts'

export interface StartSettings {
  PORT: number
  DATA_DIR: string
  /** What starts the process, to be repeated with another setting: `npm start`. */
  command?: string
}

/**
 * For a `main.ts`: starts, and where that fails says why on standard error, in one sentence if the reason was foreseen, and
 * ends the process with 1.
 */
export async function startOrExit(settings: StartSettings, start: () => Promise<void>): Promise<void> {
  try {
    await start()
  } catch (error) {
    const sentence = explain(error, settings)
    process.stderr.write(`${sentence ?? (error instanceof Error ? error.stack : String(error))}\n`)
    process.exit(1)
  }
}

/** One sentence for what keeps a process from starting, and how to go on; null for an error that nobody foresaw. */
function explain(error: unknown, settings: StartSettings): string | null {
  const again = (setting: string): string => `${setting} ${settings.command ?? ''}`.trim()
  switch (errnoCode(error)) {
    case 'EADDRINUSE':
      return `Port ${settings.PORT} is taken. Stop what listens there, or take another one: ${again(`PORT=${settings.PORT + 1}`)}`
    case 'EADDRNOTAVAIL':
      return `${reasonOf(error)}: HOST is no address of this machine. 127.0.0.1 serves this machine only, 0.0.0.0 all that reach it.`
    case 'ENOENT':
      return `${reasonOf(error)}: this folder cannot be made. Give another one: ${again('DATA_DIR=~/platform-events-data')}`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${reasonOf(error)}: this folder cannot be written to. Give another one: ${again('DATA_DIR=~/platform-events-data')}`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${settings.DATA_DIR} is a file, or lies in one. Give a folder: ${again('DATA_DIR=~/platform-events-data')}`
    case 'ENOSPC':
      return `The disk that holds ${settings.DATA_DIR} is full. Make room, or give a folder on another disk by DATA_DIR.`
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'ETIMEDOUT':
      return `${reasonOf(error)}: nothing answers there. Compare DATABASE_URL and KAFKA_BROKERS with what runs.`
    default:
      return isTold(error) ? reasonOf(error) : null
  }
}

function errnoCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code
    if (code !== undefined) return code
  }
  return undefined
}

/** Errors with a name of their own, or of the system, say in a sentence what is in the way; others want their stack. */
function isTold(error: unknown): boolean {
  return (
    errnoCode(error) !== undefined ||
    (error instanceof Error && !/^(Type|Range|Reference|Syntax|)Error$/.test(error.name))
  )
}
