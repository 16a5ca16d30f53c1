import { canServe, subsets, vectors } from './choices.ts'
import { inOrder, type OracleEvent, within } from './events.ts'
import type { OracleUnit } from './identity.ts'
import { matches, type OracleMatch } from './matches.ts'

export interface OracleStep extends OracleMatch {
  name: string
  optional: boolean
}

export interface OracleExclusion extends OracleMatch {
  /** Step numbers from 1; both of required steps. */
  after: number
  before: number
}

export interface OracleFunnel {
  steps: OracleStep[]
  /** Microseconds since 1970: `from` inclusive, `to` exclusive. */
  from: number
  to: number
  /** Microseconds, inclusive. */
  window: number
  mode: 'ordered' | 'strict' | 'strict_order' | 'unordered'
  unit: OracleUnit
  exclude: OracleExclusion[]
}

export interface Chain {
  /** How many required steps were reached. */
  level: number
  /** For each step of the definition its event, or null: not reached, or optional and not filled. In mode unordered the k-th row stands at k. */
  events: (OracleEvent | null)[]
}

/**
 * The chosen chain of one unit, found by trying every choice of rows and taking the best by the stated order of preference; null
 * where not even step 1 was reached. Exponential, for a dozen rows.
 *
 * @param events of the unit, in any order, in the range or not
 */
export function chosenChain(events: readonly OracleEvent[], funnel: OracleFunnel): Chain | null {
  const rows = inOrder(within(events, funnel.from, funnel.to))
  const serves = rows.map((row) => funnel.steps.map((step) => matches(row, step)))
  const required = funnel.steps.flatMap((step, index) => (step.optional ? [] : [index]))
  for (let level = required.length; level > 0; level--) {
    const valid = candidates(serves, funnel, required.slice(0, level)).filter((chain) =>
      isValid(chain, rows, serves, funnel, required),
    )
    const best = valid.sort((a, b) => preference(a, b, rows))[0]
    if (best) return { level, events: fillOptional(best, rows, funnel, required) }
  }
  return null
}

/** Whether a row, by its position, can serve a step. */
type Serves = boolean[][]

/** Every vector of distinct positions whose k-th serves the k-th of `steps`; unordered: every set that can serve as many distinct steps. */
function candidates(serves: Serves, funnel: OracleFunnel, steps: number[]): number[][] {
  const positions = serves.map((_, position) => position)
  if (funnel.mode === 'unordered') {
    const all = funnel.steps.map((_, step) => step)
    return subsets(positions, steps.length).filter((set) => canServe(set, all, serves))
  }
  return vectors(steps.map((step) => positions.filter((position) => serves[position]![step]!)))
}

function isValid(
  chain: number[],
  rows: OracleEvent[],
  serves: Serves,
  funnel: OracleFunnel,
  required: number[],
): boolean {
  const times = chain.map((position) => rows[position]!.at)
  if (times.at(-1)! - times[0]! > funnel.window) return false
  const follows = (holds: (k: number) => boolean): boolean => chain.every((_, k) => k === 0 || holds(k))
  switch (funnel.mode) {
    case 'unordered':
      return true
    case 'strict':
      return follows((k) => chain[k] === chain[k - 1]! + 1)
    case 'strict_order':
      return follows(
        (k) =>
          chain[k]! > chain[k - 1]! &&
          serves
            .slice(chain[k - 1]! + 1, chain[k])
            .every((between) => !between.includes(true) || between[k - 1]! || between[k]!),
      )
    case 'ordered':
      return follows((k) => times[k]! >= times[k - 1]!) && !isExcluded(times, rows, funnel, required)
  }
}

/** An event of an exclusion lies between its steps, strictly: after step `after`, and before step `before` or the last one reached. */
function isExcluded(times: number[], rows: OracleEvent[], funnel: OracleFunnel, required: number[]): boolean {
  return funnel.exclude.some((exclusion) => {
    const after = required.indexOf(exclusion.after - 1)
    const before = Math.min(required.indexOf(exclusion.before - 1), times.length - 1)
    return (
      times.length - 1 > after &&
      rows.some((row) => matches(row, exclusion) && times[after]! < row.at && row.at < times[before]!)
    )
  })
}

/** Least end; then latest start; then least times from the first; then least positions from the first. */
function preference(a: number[], b: number[], rows: OracleEvent[]): number {
  const times = (chain: number[]): number[] => chain.map((position) => rows[position]!.at)
  const [timesA, timesB] = [times(a), times(b)]
  return timesA.at(-1)! - timesB.at(-1)! || timesB[0]! - timesA[0]! || lexical(timesA, timesB) || lexical(a, b)
}

function lexical(a: number[], b: number[]): number {
  const k = a.findIndex((value, index) => value !== b[index])
  return k === -1 ? 0 : a[k]! - b[k]!
}

/** The chain with each optional step between its required ones filled by the first row that may serve it. */
function fillOptional(
  chain: number[],
  rows: OracleEvent[],
  funnel: OracleFunnel,
  required: number[],
): (OracleEvent | null)[] {
  const used = new Set(chain)
  const events = funnel.steps.map((): OracleEvent | null => null)
  chain.forEach((position, k) => {
    events[required[k]!] = rows[position]!
  })
  let last = rows[chain[0]!]!.at
  for (let index = 1; index < funnel.steps.length; index++) {
    const step = funnel.steps[index]!
    if (!step.optional) {
      if (events[index] === null) break
      last = events[index]!.at
      continue
    }
    const next = events[required.find((other) => other > index)!]
    const until = next ? next.at : rows[chain[0]!]!.at + funnel.window
    const position = rows.findIndex(
      (row, candidate) => !used.has(candidate) && matches(row, step) && last <= row.at && row.at <= until,
    )
    if (position === -1) continue
    used.add(position)
    events[index] = rows[position]!
    last = rows[position]!.at
  }
  return events
}
