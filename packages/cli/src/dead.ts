import { readFile } from 'node:fs/promises'
import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { askAbout, idOf, SIGNING_HELP, signature, signingOptions } from './operating.ts'
import { printable, table } from './terminal.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

const ACTIONS = 'dead, dead show <id>, dead mend <id> <line>, dead replay <id>…, dead give-up <id>…'

export const deadVerb: Verb = {
  usage: '[show|mend|replay|give-up <id>…]',
  summary: 'Acknowledged events that could not be stored: look, mend the line, store it once, or give it up.',
  options: {
    ...apiOptions,
    ...signingOptions,
    reason: { type: 'string' },
    all: { type: 'boolean' },
    before: { type: 'string' },
    limit: { type: 'string' },
    file: { type: 'string' },
  },
  help: [
    'dead                    those that wait, newest first',
    '  --reason <code>       of this reason or SQLSTATE only',
    '  --all                 those that are resolved, too',
    '  --limit, --before <n> a page of n; those before number n',
    'dead show <id>          one, with its bytes',
    "dead mend <id> '<line>' puts another line of JSON in its place; --file <path> reads it from a file",
    'dead replay <id>…       stores them, once, however often you ask',
    'dead give-up <id>…      resolves them without storing',
    ...SIGNING_HELP,
    ...API_HELP,
  ],
  async run(input) {
    const [action = 'list', ...words] = input.words
    switch (action) {
      case 'list':
        return await list(input)
      case 'show':
        return await show(input, words)
      case 'mend':
        return await mend(input, words)
      case 'replay':
        return await act(input, words, action)
      case 'give-up':
        return await act(input, words, action)
      default:
        throw new CliError(`There is no "dead ${action}".`, ACTIONS)
    }
  },
}

interface Letter {
  dead_letter_id: number
  topic: string
  topic_partition: number
  record_offset: number
  line: number
  sqlstate: string | null
  reason: string
  message: string | null
  dead_at: string
  resolution: string | null
}

interface Answer {
  outcome: string
  message: string | null
  dead_letter?: { resolution: string | null }
}

async function list(input: VerbInput): Promise<number> {
  const query = new URLSearchParams(input.options['all'] === true ? { all: 'true' } : {})
  for (const option of ['reason', 'before', 'limit']) {
    const value = text(input, option)
    if (value !== undefined) query.set(option, value)
  }
  const answer = await askApi(input, `/v1/dead-letters?${query}`)
  const body = (await answer.json()) as { dead_letters: Letter[]; next: number | null }
  input.context.out(input.json ? `${JSON.stringify(body)}\n` : format(body.dead_letters, body.next))
  return 0
}

const COLUMNS = ['id', 'dead since', 'where', 'reason', 'message', 'resolution']

function format(letters: Letter[], next: number | null): string {
  if (letters.length === 0) return 'No dead letters.\n'
  const rows = letters.map((letter) => [
    String(letter.dead_letter_id),
    letter.dead_at,
    `${letter.topic}/${letter.topic_partition}@${letter.record_offset}:${letter.line}`,
    letter.sqlstate ?? letter.reason,
    letter.message ?? '',
    letter.resolution ?? '',
  ])
  const shown = table(
    COLUMNS.map((title) => ({ title })),
    rows,
  )
  return next === null ? shown : `${shown}\nMore: --before ${next}\n`
}

async function show(input: VerbInput, words: string[]): Promise<number> {
  const id = onlyId(words)
  const letter = (await (await askApi(input, `/v1/dead-letters/${id}`)).json()) as Record<
    string,
    string | number | null
  >
  if (input.json) {
    input.context.out(`${JSON.stringify(letter)}\n`)
    return 0
  }
  // The lines last: they are long. Made safe, for whoever sent them may have meant the terminal of whoever looks.
  const { raw, mended, raw_base64, ...facts } = letter
  const known = Object.entries({ ...facts, raw, raw_base64, mended }).filter(([, value]) => (value ?? null) !== null)
  for (const [name, value] of known) input.context.out(`${name.padEnd(16)} ${printable(String(value))}\n`)
  return 0
}

async function mend(input: VerbInput, [word, ...words]: string[]): Promise<number> {
  const id = onlyId(word === undefined ? [] : [word])
  const file = text(input, 'file')
  const line = file === undefined ? words.join(' ') : await lineOf(file)
  if (line === '') throw new CliError('There is no line to put in its place.', "dead mend <id> '{…}', or --file <path>")
  const { by } = signature(input)
  const body = { line, ...(by === undefined ? {} : { by }) }
  return await askAbout<Answer>(input, [id], () => ({ path: `/v1/dead-letters/${id}/mend`, body }), told)
}

async function lineOf(file: string): Promise<string> {
  const content = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CliError(`${file} cannot be read: ${error.message}`, undefined, error)
  })
  return content.replace(/\r?\n$/, '')
}

async function act(input: VerbInput, ids: string[], action: 'replay' | 'give-up'): Promise<number> {
  const { by, note } = signature(input)
  const body = { ...(by === undefined ? {} : { by }), ...(note === undefined || action === 'replay' ? {} : { note }) }
  return await askAbout<Answer>(
    input,
    ids,
    (id) => ({ path: `/v1/dead-letters/${id}/${action}`, body }),
    (id, answer) => {
      // Resolved before is as good, but not where it was resolved the other way: a script must not take it for stored.
      const otherWay = (answer.dead_letter?.resolution === 'given_up') !== (action === 'give-up')
      const { line, done } = told(id, answer)
      return { line, done: done && !(answer.outcome === 'already_resolved' && otherWay) }
    },
  )
}

function told(id: string, { outcome, message }: Answer): { line: string; done: boolean } {
  return { line: `${id}  ${[outcome, message].filter(Boolean).join(': ')}`, done: outcome !== 'refused' }
}

/** @throws CliError where there is none, or more than one */
function onlyId(words: string[]): string {
  const [word, ...more] = words
  if (word === undefined || more.length > 0)
    throw new CliError('Which one? Give one number that the list shows.', ACTIONS)
  return idOf(word)
}
