import type { FunnelPlan } from './funnel-plan.ts'
import type { GatheredRows } from './gather.ts'

/**
 * Fills the optional steps into a chosen chain, which they cannot change: between the links that they stand between (behind the last
 * link reached: until the window closes), in step order, each takes the first free row that is not before the step filled last.
 *
 * @param chain the place of each link's row, of `level` links
 * @param filled where each optional step's row is put, in the plan's order; -1 where there is none
 */
export function fillOptionalSteps(
  plan: FunnelPlan,
  rows: GatheredRows,
  begin: number,
  end: number,
  level: number,
  chain: Int32Array,
  filled: Int32Array,
): void {
  const { micros, tags } = rows
  filled.fill(-1)
  const closes = micros[chain[0]!]! + plan.windowMicros
  let previous = -1
  for (const [i, { afterLink, bit }] of plan.optional.entries()) {
    if (afterLink >= level) return
    if (i === 0 || plan.optional[i - 1]!.afterLink !== afterLink) previous = chain[afterLink]!
    const earliest = micros[previous]!
    const latest = afterLink + 1 < level ? micros[chain[afterLink + 1]!]! : closes
    let place = previous
    while (place > begin && micros[place - 1] === earliest) place--
    for (; place < end && micros[place]! <= latest; place++) {
      if ((tags[place]! & bit) === 0 || isUsed(place, level, chain, i, filled)) continue
      filled[i] = place
      previous = place
      break
    }
  }
}

function isUsed(place: number, level: number, chain: Int32Array, optional: number, filled: Int32Array): boolean {
  for (let k = 0; k < level; k++) if (chain[k] === place) return true
  for (let i = 0; i < optional; i++) if (filled[i] === place) return true
  return false
}
