import { isBetter } from './chain-order.ts'
import type { FunnelPlan } from './funnel-plan.ts'
import type { Walk } from './walk.ts'

/** Mode strict: a chain is rows one directly after another, in the order of (time, id), among all rows of the unit. */
export function strictWalk({ links, windowMicros }: FunnelPlan, chain: Int32Array): Walk {
  const run = new Int32Array(links)
  return ({ micros, tags }, begin, end) => {
    let level = 0
    for (let first = begin; first < end; first++) {
      const closes = micros[first]! + windowMicros
      let length = 0
      while (length < links && first + length < end && isNext(first + length, length, closes)) length++
      if (length === 0 || length < level) continue
      for (let link = 0; link < length; link++) run[link] = first + link
      const later = level === length ? micros[run[length - 1]!]! - micros[chain[length - 1]!]! : 0
      if (level < length || (later === 0 && isBetter(micros, length, run, 0, chain, 0))) chain.set(run)
      level = length
    }
    return level

    function isNext(row: number, link: number, closes: number): boolean {
      return ((tags[row]! >> link) & 1) === 1 && micros[row]! <= closes
    }
  }
}
