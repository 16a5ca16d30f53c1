import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { PERIOD_HELP, periodOf, periodOptions } from './period.ts'
import { bar, grouped, table } from './terminal.ts'
import type { Verb } from './verb.ts'

export const countsVerb: Verb = {
  usage: '[--from] [--to]',
  summary: 'Events per type, most frequent first.',
  options: { ...apiOptions, ...periodOptions },
  help: [...PERIOD_HELP, ...API_HELP],
  async run(input) {
    const answer = await askApi(input, `/v1/counts?${new URLSearchParams(periodOf(input))}`)
    const body = (await answer.json()) as CountsAnswer
    if (input.json) input.context.out(`${JSON.stringify(body)}\n`)
    else input.context.out(format(body))
    return 0
  },
}

interface CountsAnswer {
  counts: { event_type: string; event_count: number }[]
  from: string
  to: string
}

function format({ counts, from, to }: CountsAnswer): string {
  if (counts.length === 0) return `No events from ${from} to ${to}.\n`
  const total = counts.reduce((sum, count) => sum + count.event_count, 0)
  const most = counts[0]!.event_count
  const rows = counts.map(({ event_type, event_count }) => [
    event_type,
    grouped(event_count),
    bar(event_count / most, 30),
  ])
  const columns = [{ title: 'event type' }, { title: 'events', align: 'right' as const }, { title: '' }]
  return `${table(columns, rows)}\n${grouped(total)} events from ${from} to ${to}\n`
}
