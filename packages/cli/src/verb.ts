import type { ParseArgsConfig } from 'node:util'

/** What a verb may touch of the process that it runs in. */
export interface CliContext {
  env: Record<string, string | undefined>
  out: (text: string) => void
  err: (text: string) => void
  /** Width of the terminal. */
  columns: number
  /** Aborted by Ctrl-C. */
  signal: AbortSignal
}

/** What the user gave a verb. */
export interface VerbInput {
  context: CliContext
  words: string[]
  options: Record<string, string | boolean | undefined>
  /** --json: print machine-readable JSON and nothing else. */
  json: boolean
}

export interface Verb {
  /** The words after the name, as the help shows them. */
  usage: string
  /** One line. */
  summary: string
  options: NonNullable<ParseArgsConfig['options']>
  /** Lines on the options, for `help <verb>`. */
  help: string[]
  /** @returns the exit code */
  run(input: VerbInput): Promise<number>
}

/** What ends a verb with one clear sentence, and no stack. */
export class CliError extends Error {
  /** What to do, if there is something. */
  readonly help: string | undefined

  constructor(message: string, help?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CliError'
    this.help = help
  }
}

/** The option as text, if it was given. */
export function text(input: VerbInput, option: string): string | undefined {
  const value = input.options[option]
  return typeof value === 'string' ? value : undefined
}
