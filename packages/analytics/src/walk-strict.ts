import type { FunnelPlan } from './funnel-plan.ts'
import type { Walk } from './walk.ts'

/** Mode strict: a chain is rows one directly after another, in the order of (time, id), among all rows of the unit. */
export function strictWalk({ links, windowMicros }: FunnelPlan, chain: Int32Array): Walk {
  return ({ micros, tags }, begin, end) => {
    let level = 0
    for (let first = begin; first < end; first++) {
      const closes = micros[first]! + windowMicros
      let length = 0
      while (length < links && first + length < end && isNext(first + length, length, closes)) length++
      if (length === 0 || length < level) continue
      if (length === level && !isBetter(first, first + length - 1)) continue
      for (let link = 0; link < length; link++) chain[link] = first + link
      level = length
    }
    return level

    /** Than the chain so far, which came first: no later end, and a later start. */
    function isBetter(first: number, last: number): boolean {
      return micros[last] === micros[chain[level - 1]!] && micros[first]! > micros[chain[0]!]!
    }

    function isNext(row: number, link: number, closes: number): boolean {
      return ((tags[row]! >> link) & 1) === 1 && micros[row]! <= closes
    }
  }
}
