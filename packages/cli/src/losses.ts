import { API_HELP, apiOptions } from './access.ts'
import { askApi } from './api.ts'
import { askAbout, SIGNING_HELP, signature, signingOptions } from './operating.ts'
import { table } from './terminal.ts'
import { CliError, type Verb, type VerbInput } from './verb.ts'

export const lossesVerb: Verb = {
  usage: '[acknowledge <id>…] [--all]',
  summary: 'Gaps between what was stored and what the log still had, until somebody has seen them.',
  options: { ...apiOptions, ...signingOptions, all: { type: 'boolean' } },
  help: ['--all           those that were acknowledged, too', ...SIGNING_HELP, ...API_HELP],
  async run(input) {
    const [action, ...ids] = input.words
    if (action === undefined) return await list(input)
    if (action !== 'acknowledge') throw new CliError(`There is no "losses ${action}".`, 'losses acknowledge <id>…')
    return await askAbout<Acknowledged>(
      input,
      ids,
      (id) => ({ path: `/v1/losses/${id}/acknowledge`, body: signature(input) }),
      (id, { acknowledged, loss }) => ({
        line: `${id}  ${acknowledged ? 'acknowledged' : 'was acknowledged before'} by ${loss.acknowledged_by}`,
        done: true,
      }),
    )
  },
}

interface Loss {
  loss_id: number
  topic: string
  topic_partition: number
  reason: string
  stored_offset: number
  resumed_offset: number | null
  records_lost: number | null
  detected_at: string
  acknowledged_by: string | null
}

interface Acknowledged {
  acknowledged: boolean
  loss: Loss
}

async function list(input: VerbInput): Promise<number> {
  const answer = await askApi(input, `/v1/losses${input.options['all'] === true ? '?all=true' : ''}`)
  const body = (await answer.json()) as { losses: Loss[] }
  if (input.json) input.context.out(`${JSON.stringify(body)}\n`)
  else input.context.out(format(body.losses))
  return 0
}

const COLUMNS = ['id', 'detected', 'topic', 'reason', 'stored', 'resumed', 'records lost', 'acknowledged by']

function format(losses: Loss[]): string {
  if (losses.length === 0) return 'No loss events.\n'
  const rows = losses.map((loss) => [
    String(loss.loss_id),
    loss.detected_at,
    `${loss.topic}/${loss.topic_partition}`,
    loss.reason,
    String(loss.stored_offset),
    String(loss.resumed_offset ?? '-'),
    String(loss.records_lost ?? 'unknown'),
    loss.acknowledged_by ?? '',
  ])
  return table(
    COLUMNS.map((title) => ({ title })),
    rows,
  )
}
