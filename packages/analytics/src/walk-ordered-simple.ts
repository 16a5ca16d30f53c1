import type { FunnelPlan } from './funnel-plan.ts'
import type { GatheredRows } from './gather.ts'
import type { Walk } from './walk.ts'

/**
 * Mode ordered where no row can stand for two links and nothing is excluded: the common funnel.
 *
 * For each link k it keeps the chain with the latest start that has come to k: a later start is never worse, whatever follows. On an
 * equal start the chain that was there first stays: its times are the lesser ones. Links of one microsecond count in whichever order
 * serves, so its rows are taken link by link.
 */
export function simpleOrderedWalk({ links, windowMicros }: FunnelPlan, chain: Int32Array): Walk {
  const mask = (1 << links) - 1
  const starts = new Float64Array(links)
  // The chain that stands at link k: places[k * links] to places[k * links + k].
  const places = new Int32Array(links * links)

  return (rows: GatheredRows, begin: number, end: number): number => {
    const { micros, tags } = rows
    let level = 0
    let instant = begin
    for (let i = begin; i < end; i = instant) {
      const time = micros[i]!
      instant = i + 1
      let bits = tags[i]! & mask
      while (instant < end && micros[instant] === time) bits |= tags[instant++]! & mask
      while (bits !== 0) {
        const link = 31 - Math.clz32(bits & -bits)
        bits &= bits - 1
        if (link > level) break
        let start = time
        if (link > 0) {
          start = starts[link - 1]!
          if (time - start > windowMicros || (link < level && start === starts[link])) continue
        }
        let place = i
        while (((tags[place]! >> link) & 1) === 0) place++
        starts[link] = start
        const to = link * links
        for (let k = 0, from = to - links; k < link; k++) places[to + k] = places[from + k]!
        places[to + link] = place
        if (link < level) continue
        level++
        for (let k = 0; k <= link; k++) chain[k] = places[to + k]!
        if (level === links) return level
      }
    }
    return level
  }
}
