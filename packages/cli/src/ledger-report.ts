import type { Recount, Verification } from './ledger-verify.ts'
import { grouped, table } from './terminal.ts'

/** How a recount is told: what the books say beside what is there, and the verdict last. */
export function formatVerification(verification: Verification): string {
  const { balanced, from, to, accounts, in_flight, differences, strange_log, open_losses } = verification
  const right = (title: string) => ({ title, align: 'right' as const })
  const rows = accounts.map(({ account, counted, found }) => [
    account,
    grouped(counted),
    grouped(found),
    account === 'stored' ? 'rows; those deleted are taken off' : 'rows',
  ])
  const { counted, log, spools, nowhere, silent_spools, twice } = in_flight
  const places = [
    `log ${grouped(log)}`,
    `spools ${grouped(spools)}`,
    ...(nowhere > 0 ? [`nowhere ${grouped(nowhere)}`] : []),
  ]
  rows.push(['in_flight', grouped(counted), grouped(log + spools), places.join(', ')])
  const lines = [
    table([{ title: `${from} to ${to}` }, right('in the books'), right('found'), { title: 'where' }], rows),
    ...differences.map(describe),
    ...(nowhere > 0 ? [lost(verification)] : []),
    ...(nowhere === 0 && open_losses > 0
      ? [
          `${lossesOpen(open_losses)}: what a lost log held and no collector had told is in no books. npx platform-events losses`,
        ]
      : []),
    ...(silent_spools > 0
      ? [
          `${grouped(silent_spools)} of them lay in the spool of a collector that has been silent for more than two minutes: start it.`,
        ]
      : []),
    ...(twice > 0
      ? [
          `${grouped(twice)} duplicates are of records that the log has twice: topic partitions were added while Kafka was failing.`,
        ]
      : []),
    ...(strange_log === null ? [] : [`Nothing was ever loaded from this log (${strange_log}): is it the right one?`]),
    balanced ? 'The books balance.' : 'The books do NOT balance.',
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function describe({ day, source_id, account, counted, found }: Recount): string {
  return `${day}  source ${source_id}  ${account}: ${grouped(counted)} in the books, ${grouped(found)} found`
}

function lost({ in_flight, open_losses }: Verification): string {
  return `${grouped(in_flight.nowhere)} accepted events are in neither table nor log nor spool: lost. ${lossesOpen(open_losses)}: npx platform-events losses --all`
}

function lossesOpen(open: number): string {
  return open === 1 ? '1 loss event is open' : `${open || 'No'} loss events are open`
}
