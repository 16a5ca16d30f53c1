import { type OracleEvent, textOf, within } from './events.ts'
import { groupBy } from './groups.ts'
import { actorOf, sessionUsers } from './identity.ts'
import { type Rate, rateOf } from './rates.ts'

export interface TopValuesQuestion {
  type: string
  property: string
  from: number
  to: number
}

export interface TopValuesRow {
  value: string
  events: number
  actors: number
  /** Of all events of the type, those without the property included. */
  share: Rate
}

/** Each value of a property among the events of a type, in any order; absence and JSON null are no values. */
export function topValues(all: readonly OracleEvent[], question: TopValuesQuestion): TopValuesRow[] {
  const { type, property, from, to } = question
  const users = sessionUsers(all)
  const counted = within(all, from, to).filter(({ eventType }) => eventType === type)
  return [...groupBy(counted, (event) => textOf(event, property))].flatMap(([value, events]) =>
    value === null
      ? []
      : [
          {
            value,
            events: events.length,
            actors: new Set(events.flatMap((event) => actorOf(event, users) ?? [])).size,
            share: rateOf(events.length, counted.length)!,
          },
        ],
  )
}
