import { askApi } from './api.ts'
import { printable } from './terminal.ts'
import { CliError, text, type VerbInput } from './verb.ts'

/** The options of every verb that does something in somebody's name. */
export const signingOptions = { by: { type: 'string' }, note: { type: 'string' } } as const
export const SIGNING_HELP = [
  '--by <name>     who does it, beside the name of the token',
  '--note <text>   what there is to say of it',
]

/** Name and note as the query side takes them. */
export function signature(input: VerbInput): { by?: string; note?: string } {
  const [by, note] = [text(input, 'by'), text(input, 'note')]
  return { ...(by === undefined ? {} : { by }), ...(note === undefined ? {} : { note }) }
}

/**
 * Posts for one id after the other, and prints a line for each, or with --json the answer.
 *
 * @returns the exit code: 1 where something was not done
 * @throws CliError where an id is none, or the query side says so; what was done before stays done
 */
export async function askAbout<Answer>(
  input: VerbInput,
  ids: string[],
  request: (id: string) => { path: string; body: object },
  told: (id: string, answer: Answer) => { line: string; done: boolean },
): Promise<number> {
  for (const id of ids) idOf(id)
  if (ids.length === 0) throw new CliError('Which one? Give the numbers that the list shows.')
  let code = 0
  for (const id of ids) {
    const { path, body } = request(id)
    const answer = (await (await askApi(input, path, { method: 'POST', body })).json()) as Answer
    const { line, done } = told(id, answer)
    input.context.out(input.json ? `${JSON.stringify(answer)}\n` : `${printable(line)}\n`)
    if (!done) code = 1
  }
  return code
}

/** @throws CliError where it is no number */
export function idOf(word: string): string {
  if (!/^[1-9]\d{0,14}$/.test(word)) throw new CliError(`"${word}" is no number of the list.`)
  return word
}
