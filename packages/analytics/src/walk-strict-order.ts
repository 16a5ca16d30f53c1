import type { FunnelPlan } from './funnel-plan.ts'
import { NEVER, type Walk } from './walk.ts'

/**
 * Mode strict_order: among the rows of any link, in the order of (time, id), those between link k and link k + 1 may only be such
 * that stand for one of the two. Each link keeps the best chain that has come to it and met no other row since.
 */
export function strictOrderWalk({ links, windowMicros }: FunnelPlan, chain: Int32Array): Walk {
  const mask = (1 << links) - 1
  const starts = new Float64Array(links)
  // The chain that stands at link k: from k * links on, k + 1 places.
  const places = new Int32Array(links * links)
  return ({ micros, tags }, begin, end) => {
    starts.fill(NEVER)
    let level = 0
    for (let row = begin; row < end; row++) {
      const bits = tags[row]! & mask
      if (bits === 0) continue
      const time = micros[row]!
      for (let link = Math.min(level, links - 1); link >= 0; link--) {
        const start = link === 0 ? time : starts[link - 1]!
        const comes = ((bits >> link) & 1) === 1 && time - start <= windowMicros
        const at = link * links
        if (((bits >> link) & 3) === 0) starts[link] = NEVER
        if (!comes) continue
        const raises =
          link === level || (link + 1 === level && micros[chain[link]!] === time && start > micros[chain[0]!]!)
        if (!raises && start <= starts[link]!) continue
        starts[link] = start
        for (let k = 0; k < link; k++) places[at + k] = places[at - links + k]!
        places[at + link] = row
        if (!raises) continue
        level = link + 1
        for (let k = 0; k < level; k++) chain[k] = places[at + k]!
      }
    }
    return level
  }
}
