import type { FunnelPlan } from './funnel-plan.ts'
import type { GatheredRows } from './gather.ts'

/**
 * Puts a chosen chain and the optional steps around it where the definition has them. Optional steps cannot change the chain: between
 * the links that they stand between (behind the last link reached: until the window closes), in step order, each takes the first free
 * row that is not before the step filled last.
 *
 * @param begin of the unit's rows
 * @param end of them, exclusive
 * @param chain the place of each link's row; -1 where it was not reached
 * @param places receives the place of each step's row, or -1
 */
export function placeSteps(
  { optional, stepOfLink, windowMicros }: FunnelPlan,
  { micros, tags }: GatheredRows,
  begin: number,
  end: number,
  chain: Int32Array,
  places: Int32Array,
): void {
  places.fill(-1)
  for (const [link, step] of stepOfLink.entries()) places[step] = chain[link]!
  for (const { afterLink, bit, step } of optional) {
    if (chain[afterLink] === -1) return
    const next = chain[afterLink + 1]!
    const latest = next === -1 ? micros[chain[0]!]! + windowMicros : micros[next]!
    // The step filled last: an optional one of the same gap, or the link itself.
    let place = places.subarray(stepOfLink[afterLink], step).findLast((filled) => filled !== -1)!
    const earliest = micros[place]!
    while (place > begin && micros[place - 1] === earliest) place--
    while (place < end && micros[place]! <= latest && ((tags[place]! & bit) === 0 || places.includes(place))) place++
    if (place < end && micros[place]! <= latest) places[step] = place
  }
}
