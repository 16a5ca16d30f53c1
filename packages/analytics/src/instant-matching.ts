/**
 * Which rows of one instant can stand for which links, each for one: a bipartite matching, grown link by link along augmenting paths
 * (H. W. Kuhn, Naval Research Logistics 2, 1955).
 */
export class InstantMatching {
  readonly #links: number
  /** By link, the first rows that may stand for it: no more than there are links, for the others cannot take more from it. */
  readonly #rows: number[][]
  /** The row of each link, -1 where it has none. */
  readonly #rowOf: Int32Array
  /** The link of each row that has one. */
  readonly #linkOf = new Map<number, number>()
  readonly #visited = new Set<number>()

  constructor(links: number) {
    this.#links = links
    this.#rows = Array.from({ length: links }, () => [])
    this.#rowOf = new Int32Array(links).fill(-1)
  }

  /** The rows of the instant are those from `first` to `after`. */
  begin(tags: Int32Array, first: number, after: number): void {
    for (const [link, rows] of this.#rows.entries()) {
      rows.length = 0
      for (let row = first; row < after && rows.length < this.#links; row++)
        if ((tags[row]! >> link) & 1) rows.push(row)
    }
  }

  clear(): void {
    this.#rowOf.fill(-1)
    this.#linkOf.clear()
  }

  /** Finds a row for one more link, moving others where needed; false where there is none. */
  add(link: number): boolean {
    this.#visited.clear()
    return this.#augment(link)
  }

  /** The least rows (of the first link, then of the second …) for the links from `first` to `last`, all of which have been added. */
  leastRows(first: number, last: number, into: Int32Array): void {
    for (let link = first; link <= last; link++) {
      for (const row of this.#rows[link]!) if (this.#take(link, row, first)) break
      into[link] = this.#rowOf[link]!
    }
  }

  /** Gives the row to the link if all links keep one; those from `first` to before the link keep theirs. */
  #take(link: number, row: number, first: number): boolean {
    const own = this.#rowOf[link]!
    if (row === own) return true
    const holder = this.#linkOf.get(row)
    if (holder !== undefined && holder >= first && holder < link) return false
    this.#linkOf.delete(own)
    this.#assign(link, row)
    if (holder === undefined) return true
    this.#visited.clear()
    this.#visited.add(row)
    for (let fixed = first; fixed < link; fixed++) this.#visited.add(this.#rowOf[fixed]!)
    if (this.#augment(holder)) return true
    this.#assign(holder, row)
    this.#assign(link, own)
    return false
  }

  #augment(link: number): boolean {
    for (const row of this.#rows[link]!) {
      if (this.#visited.has(row)) continue
      this.#visited.add(row)
      const holder = this.#linkOf.get(row)
      if (holder === undefined || this.#augment(holder)) {
        this.#assign(link, row)
        return true
      }
    }
    return false
  }

  #assign(link: number, row: number): void {
    this.#rowOf[link] = row
    this.#linkOf.set(row, link)
  }
}
