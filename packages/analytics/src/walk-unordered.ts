import type { FunnelPlan } from './funnel-plan.ts'
import type { Walk } from './walk.ts'

/**
 * Mode unordered: rows for as many links as possible, each for one, within the window of the earliest.
 *
 * Sets of rows that can stand for different links are the independent sets of a transversal matroid (Edmonds and Fulkerson, 1965), so
 * greedy choices are right: a basis of the latest rows is kept as rows come, and says at every instant how many links any stretch of
 * time up to there has; once the best stretch is known, its first rows that fit together are the chosen ones.
 */
export function unorderedWalk({ links, windowMicros }: FunnelPlan, chain: Int32Array): Walk {
  const mask = (1 << links) - 1
  const basis = new RowBasis(links)
  return ({ micros, tags }, begin, end) => {
    basis.clear()
    let level = 0
    let start = 0
    for (let row = begin; row < end && level < links; row++) {
      const bits = tags[row]! & mask
      if (bits !== 0) basis.addLatest(row, tags)
      const time = micros[row]!
      if (row + 1 < end && micros[row + 1] === time) continue
      const { count, earliest } = basis.since(time - windowMicros, micros)
      if (count <= level) continue
      level = count
      start = earliest
    }
    basis.clear()
    let found = 0
    for (let row = begin; row < end && found < level; row++) {
      if (micros[row]! >= start && (tags[row]! & mask) !== 0 && basis.addIfFree(row, tags)) chain[found++] = row
    }
    return level
  }
}

/** Rows that can stand for different links, and which stands for which. */
class RowBasis {
  readonly #links: number
  /** The row of each link, -1 where it has none. */
  readonly #rowOf: Int32Array
  /** In a search: the link whose row could move to this one; ROOT for the new row itself; UNSEEN. */
  readonly #from: Int32Array
  readonly #queue: Int32Array

  constructor(links: number) {
    this.#links = links
    this.#rowOf = new Int32Array(links).fill(-1)
    this.#from = new Int32Array(links)
    this.#queue = new Int32Array(links)
  }

  clear(): void {
    this.#rowOf.fill(-1)
  }

  /** Adds the row, which is later than all others; where it does not fit beside them, the earliest that hinders it makes room. */
  addLatest(row: number, tags: Int32Array): void {
    const free = this.#search(row, tags)
    this.#move(row, free === -1 ? this.#earliestSeen() : free)
  }

  /** Adds the row if it fits beside the others. */
  addIfFree(row: number, tags: Int32Array): boolean {
    const free = this.#search(row, tags)
    if (free === -1) return false
    this.#move(row, free)
    return true
  }

  /** How many rows are not before the time, and the time of the earliest of these. */
  since(time: number, micros: Float64Array): { count: number; earliest: number } {
    let count = 0
    let earliest = Number.POSITIVE_INFINITY
    for (let link = 0; link < this.#links; link++) {
      const row = this.#rowOf[link]!
      if (row === -1 || micros[row]! < time) continue
      count++
      earliest = Math.min(earliest, micros[row]!)
    }
    return { count, earliest }
  }

  /** Breadth first over the links that would have a row in common with the new one; returns one without a row, or -1. */
  #search(row: number, tags: Int32Array): number {
    this.#from.fill(UNSEEN)
    let length = this.#look(tags[row]!, ROOT, 0)
    for (let i = 0; i < length; i++) {
      const link = this.#queue[i]!
      const held = this.#rowOf[link]!
      if (held === -1) return link
      length = this.#look(tags[held]!, link, length)
    }
    return -1
  }

  #look(bits: number, from: number, length: number): number {
    let queued = length
    for (let link = 0; link < this.#links; link++) {
      if (((bits >> link) & 1) === 0 || this.#from[link] !== UNSEEN) continue
      this.#from[link] = from
      this.#queue[queued++] = link
    }
    return queued
  }

  #earliestSeen(): number {
    let earliest = -1
    for (let link = 0; link < this.#links; link++) {
      if (this.#from[link] === UNSEEN) continue
      if (earliest === -1 || this.#rowOf[link]! < this.#rowOf[earliest]!) earliest = link
    }
    return earliest
  }

  /** Each row on the way to the last link moves one on, and the new one takes the first. */
  #move(row: number, last: number): void {
    let link = last
    while (this.#from[link] !== ROOT) {
      const before = this.#from[link]!
      this.#rowOf[link] = this.#rowOf[before]!
      link = before
    }
    this.#rowOf[link] = row
  }
}

const UNSEEN = -2
const ROOT = -1
