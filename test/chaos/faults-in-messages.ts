import { dropEmptyDay } from './drop-day.ts'
import { dayFromToday, eventsAt, type PoisonedRecord, poisonedRecord } from './made-events.ts'
import { type Battlefield, nothing, type Perform, type Performed } from './performed.ts'
import type { Fault } from './schedule.ts'

const DAY_MS = 86_400_000

export const messageFaults = {
  replay: ({ target }, { traffic }) => ({
    says: 'client: an old request again, byte for byte',
    over: traffic.replay(target),
  }),
  odd_clock: oddClock,
  poison: ({ lastsMs }, field) => ({
    says: 'log: a record with 2 good lines, 2 that are no event, 1 that jsonb refuses',
    over: putPoison(poisonedRecord(field.system.sourceId), lastsMs, field),
  }),
  dead_letter: ({ lastsMs }, field) => ({
    says: 'log: the same; its dead letter is mended, and replayed by two operators at once',
    over: mendAndReplay(poisonedRecord(field.system.sourceId), lastsMs, field),
  }),
  days_dropped({ target }, { system, traffic }) {
    const past = dayFromToday(-2 - Math.floor(target * 4))
    const drop = async (): Promise<string> => {
      const ahead = dayFromToday(1 + Math.floor(target * 2))
      const { pool } = system.postgres
      const did = [await dropEmptyDay(pool, ahead.name), await dropEmptyDay(pool, past.name)]
      // The hot path misses the day, has it made, and goes on.
      await traffic.send(eventsAt(past.noonMs), 'stored')
      return did.join(', ')
    }
    return { says: 'retention: a day ahead and a past one go missing, events for the past one follow', over: drop() }
  },
} satisfies Record<string, Perform>

/** Late within the window; far too late; a clock two days ahead, sent twice, the second time by another connection. */
function oddClock({ target }: Fault, { traffic }: Battlefield): Performed {
  const days = 1 + (Math.floor(target * 100) % 5)
  if (target < 0.33)
    return {
      says: `client: 3 events that are ${days} days late`,
      over: traffic.send(eventsAt(Date.now() - days * DAY_MS), 'stored').then(nothing),
    }
  if (target < 0.66)
    return {
      says: `client: 3 events that are ${days + 10} days late, for the quarantine`,
      over: traffic.send(eventsAt(Date.now() - (days + 10) * DAY_MS), 'quarantined').then(nothing),
    }
  const ahead = days * DAY_MS
  const events = eventsAt(Date.now() + ahead)
  const twice = async (): Promise<undefined> => {
    await traffic.send(events, 'stored', { clockOffMs: ahead })
    await traffic.send(events, 'stored', { clockOffMs: ahead })
  }
  return { says: `client: 3 events by a clock ${days} days ahead, sent twice`, over: twice() }
}

async function putPoison(poison: PoisonedRecord, downMs: number, { system, traffic }: Battlefield): Promise<string> {
  const { record, good, bad } = poison
  for (const event of good) traffic.sent.send(event)
  traffic.sent.send(bad, { goesTo: 'dead' })
  const how = await system.appendToLog([record], downMs)
  for (const { id } of [...good, bad])
    if (how.startsWith('passed over')) traffic.sent.byId.delete(id!)
    else traffic.sent.acknowledge(id!)
  return how
}

async function mendAndReplay(poison: PoisonedRecord, downMs: number, field: Battlefield): Promise<string> {
  const how = await putPoison(poison, downMs, field)
  if (how.startsWith('passed over')) return how
  const { letters, traffic } = field
  // From here on it may be in the table, whatever we hear of it.
  traffic.sent.byId.get(poison.bad.id!)!.goesTo = 'stored'
  return `${how}; ${await letters.mendAndReplay(poison.bad.id!, poison.mended)}`
}
