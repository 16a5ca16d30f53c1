import type { FunnelPlan } from './funnel-plan.ts'
import type { GatheredRows } from './gather.ts'
import { InstantMatching } from './instant-matching.ts'
import { NEVER, type Walk } from './walk.ts'

/**
 * Mode ordered in full: rows that may stand for several links, and exclusions.
 *
 * As in the simple walk each link keeps the best chain that has come to it. Rows of one instant are taken together: a chain that stood
 * at link j - 1 before it comes to k within it if the links j to k can have a row each. An exclusion's row ends the chains that stand
 * between its steps, unless the earlier step is of the same instant; it does not hinder links of its own instant, as it would have to
 * lie strictly before them. What ends is the standing, never a level that was reached.
 */
export function orderedWalk(plan: FunnelPlan, chain: Int32Array): Walk {
  const walk = new OrderedWalk(plan, chain)
  return (rows, begin, end) => walk.walk(rows, begin, end)
}

class OrderedWalk {
  readonly #plan: FunnelPlan
  readonly #links: number
  readonly #chain: Int32Array
  /** Of the chain that stands at each link, NEVER where there is none. */
  readonly #starts: Float64Array
  /** The chain that stands at link k: from k * links on, k + 1 places. */
  readonly #places: Int32Array
  readonly #matching: InstantMatching
  /** A chain to one link through this instant; the best of them; the best of those that this instant's exclusions leave standing. */
  readonly #candidate: Int32Array
  readonly #best: Int32Array
  readonly #lasting: Int32Array
  #micros: Float64Array = new Float64Array(0)
  #level = 0

  constructor(plan: FunnelPlan, chain: Int32Array) {
    this.#plan = plan
    this.#links = plan.links
    this.#chain = chain
    this.#starts = new Float64Array(plan.links)
    this.#places = new Int32Array(plan.links * plan.links)
    this.#matching = new InstantMatching(plan.links)
    this.#candidate = new Int32Array(plan.links)
    this.#best = new Int32Array(plan.links)
    this.#lasting = new Int32Array(plan.links)
  }

  walk({ micros, tags }: GatheredRows, begin: number, end: number): number {
    this.#micros = micros
    this.#starts.fill(NEVER)
    this.#level = 0
    let after = begin
    for (let first = begin; first < end && this.#level < this.#links; first = after) {
      const time = micros[first]!
      let bits = tags[first]!
      for (after = first + 1; after < end && micros[after] === time; after++) bits |= tags[after]!
      const several = after - first > 1
      if (several) this.#matching.begin(tags, first, after)
      // From the last link down, for each reads what stood at earlier links before this instant.
      for (let link = this.#links - 1; link >= 0; link--) this.#takeInstant(link, bits, first, several)
    }
    return this.#level
  }

  #takeInstant(link: number, bits: number, first: number, several: boolean): void {
    const links = this.#links
    const latest = this.#latestEntry(link, bits)
    const comes = ((bits >> link) & 1) === 1
    const stays = comes && this.#findChains(link, latest, first, several)
    if (latest <= link) this.#starts[link] = NEVER
    if (!stays) return
    const lasting = this.#lasting
    const at = link * links
    const start = this.#micros[lasting[0]!]!
    if (start <= this.#starts[link]!) return
    this.#starts[link] = start
    for (let k = 0; k <= link; k++) this.#places[at + k] = lasting[k]!
  }

  /**
   * The exclusions of an instant leave a chain standing at the link only if the earlier step is of the instant too: if its first link
   * there is this one or an earlier one. link + 1 where none concerns the link: whatever stands, stays.
   */
  #latestEntry(link: number, bits: number): number {
    let latest = link + 1
    for (const { after, before, bit } of this.#plan.exclusions) {
      if ((bits & bit) !== 0 && after <= link && link < before) latest = Math.min(latest, after)
    }
    return latest
  }

  /** Takes the best chain to the link through this instant if it raises the level; returns whether one may stand, then in `#lasting`. */
  #findChains(link: number, latest: number, first: number, several: boolean): boolean {
    const time = this.#micros[first]!
    const candidate = this.#candidate
    let found = false
    let lasts = false
    if (several) this.#matching.clear()
    for (let entry = link; entry >= 0; entry--) {
      if (several ? !this.#matching.add(entry) : entry < link) break
      if (entry > 0 && !(time - this.#starts[entry - 1]! <= this.#plan.windowMicros)) continue
      const from = (entry - 1) * this.#links
      for (let k = 0; k < entry; k++) candidate[k] = this.#places[from + k]!
      if (several) this.#matching.leastRows(entry, link, candidate)
      else candidate[link] = first
      const start = this.#micros[candidate[0]!]!
      if (!found || start > this.#micros[this.#best[0]!]!) this.#best.set(candidate)
      found = true
      if (entry > latest) continue
      if (!lasts || start > this.#micros[this.#lasting[0]!]!) this.#lasting.set(candidate)
      lasts = true
    }
    if (found && link + 1 > this.#level) {
      this.#level = link + 1
      this.#chain.set(this.#best)
    }
    return lasts
  }
}
