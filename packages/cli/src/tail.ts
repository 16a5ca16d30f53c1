import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { readSse } from './sse.ts'
import { fit, printable } from './terminal.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

const RECONNECT_MS = 1000

export const tailVerb: Verb = {
  usage: '[--type] [--limit]',
  summary: 'The last events, then each new one as it is stored, until Ctrl-C.',
  options: { ...apiOptions, type: { type: 'string' }, limit: { type: 'string' }, events: { type: 'string' } },
  help: [
    '--type <type>   only events of this type',
    '--limit <n>     begin with the last n events; 20 unless told',
    '--events <n>    end after n events',
    ...API_HELP,
  ],
  async run(input) {
    const state: TailState = { left: wholeNumber(text(input, 'events')), lastId: undefined, connected: false }
    while (state.left > 0 && !input.context.signal.aborted) {
      try {
        await follow(input, state)
      } catch (error) {
        // The first time it is the user's to know; later the server was restarted, and the stream goes on after it.
        if (!state.connected) throw error
      }
      if (state.left > 0 && !input.context.signal.aborted)
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
    }
    return 0
  },
}

interface TailState {
  left: number
  lastId: string | undefined
  connected: boolean
}

async function follow(input: VerbInput, state: TailState): Promise<void> {
  const [type, limit] = [text(input, 'type'), text(input, 'limit')]
  const query = new URLSearchParams({
    ...(type === undefined ? {} : { event_type: type }),
    ...(limit === undefined ? {} : { limit }),
  })
  const headers = state.lastId === undefined ? {} : { 'last-event-id': state.lastId }
  const answer = await askApi(input, `/v1/events/tail?${query}`, { headers })
  state.connected = true
  for await (const message of readSse(answer.body!)) {
    const data = JSON.parse(message.data)
    if (message.event === 'problem') input.context.err(`platform-events: ${data.message}\n`)
    if (message.event !== 'event') continue
    state.lastId = message.id
    input.context.out(input.json ? `${JSON.stringify(data)}\n` : formatEvent(data, input.context.columns))
    if (--state.left <= 0) return
  }
}

interface TailEvent {
  event_type: string
  user_id: string | null
  session_id: string | null
  properties: unknown
  created_at: string
}

/** One line: the time (UTC), the type, whose it is, the properties as far as they fit. */
export function formatEvent(event: TailEvent, columns: number): string {
  const actor = event.user_id === null ? `session ${event.session_id ?? '–'}` : `user ${event.user_id}`
  const line = [
    event.created_at.slice(11, 23),
    printable(event.event_type).padEnd(20),
    fit(printable(actor), 16).padEnd(16),
    printable(JSON.stringify(event.properties)),
  ].join('  ')
  return `${fit(line, columns)}\n`
}

function wholeNumber(given: string | undefined): number {
  if (given === undefined) return Number.POSITIVE_INFINITY
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new CliError(`--events wants a whole number, not "${given}".`)
  return Number(given)
}
