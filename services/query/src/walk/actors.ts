import { type ActorRange, type DaySlice, type FunnelDefinition, funnelChains } from '@platform-events/analytics'

export interface ActorsQuestion {
  walk: 'actors'
  definition: FunnelDefinition
  /** From 1. */
  step: number
  outcome: 'converted' | 'dropped'
  /** All who entered in this microsecond since 1970 … */
  cursorMicros: number
  /** … and the first so many who entered after it, with all who entered in the same microsecond as the last of them. */
  limit: number
}

/** Who came so far in a funnel, by the time of entry. All arrays are of one length. */
export interface ActorsTally {
  actorNos: Uint32Array
  /** Required steps reached. */
  levels: Uint8Array
  /** Microseconds since 1970: the first event of the chain, and the last required one. */
  entered: Float64Array
  last: Float64Array
}

export function tallyActors(question: ActorsQuestion, slices: DaySlice[], range: ActorRange): ActorsTally {
  const { definition, step, outcome, cursorMicros } = question
  const required = definition.steps.flatMap(({ optional }, at) => (optional ? [] : [at]))
  const here = step - 1
  const next = required.find((at) => at > here)
  const rows: Row[] = []
  for (const { actorNo, level, times } of funnelChains(slices, definition, range)) {
    const entered = times[0]!
    if (entered < cursorMicros || times[here] == null) continue
    if (outcome === 'dropped' && next !== undefined && times[next] != null) continue
    rows.push({ actorNo, level, entered, last: times[required[level - 1]!]! })
  }
  return firstOf(rows, question)
}

export function mergeActors(question: ActorsQuestion, a: ActorsTally, b: ActorsTally): ActorsTally {
  return firstOf([...rowsOf(a), ...rowsOf(b)], question)
}

interface Row {
  actorNo: number
  level: number
  entered: number
  last: number
}

function firstOf(rows: Row[], { cursorMicros, limit }: ActorsQuestion): ActorsTally {
  rows.sort((a, b) => a.entered - b.entered || a.actorNo - b.actorNo)
  const before = rows.findIndex(({ entered }) => entered > cursorMicros)
  const lastEntered = rows[Math.max(before, 0) + limit - 1]?.entered ?? Number.POSITIVE_INFINITY
  const first = rows.filter(({ entered }) => entered <= lastEntered)
  return {
    actorNos: Uint32Array.from(first, ({ actorNo }) => actorNo),
    levels: Uint8Array.from(first, ({ level }) => level),
    entered: Float64Array.from(first, ({ entered }) => entered),
    last: Float64Array.from(first, ({ last }) => last),
  }
}

function rowsOf({ actorNos, levels, entered, last }: ActorsTally): Row[] {
  return Array.from(actorNos, (actorNo, at) => ({
    actorNo,
    level: levels[at]!,
    entered: entered[at]!,
    last: last[at]!,
  }))
}
