/** Counts sequences of small numbers by the node of a tree that each ends at, so that no sequence is built but once. */
export class PathTree {
  static readonly ROOT = 0
  /** Numbers are below this. */
  readonly #width: number
  readonly #children = new Map<number, number>()
  readonly #parents = [0]
  readonly #tags = [0]
  readonly #occurrences = [0]
  readonly #actors = [0]
  readonly #lastActor = [0]

  constructor(width: number) {
    this.#width = width
  }

  /** The node one number further. */
  step(node: number, tag: number): number {
    const key = node * this.#width + tag
    const known = this.#children.get(key)
    if (known !== undefined) return known
    const made = this.#parents.push(node) - 1
    this.#tags.push(tag)
    this.#occurrences.push(0)
    this.#actors.push(0)
    this.#lastActor.push(0)
    this.#children.set(key, made)
    return made
  }

  /** A sequence ends here. All of one actor come before those of the next. */
  count(node: number, actorNo: number): void {
    this.#occurrences[node]!++
    if (this.#lastActor[node] === actorNo) return
    this.#lastActor[node] = actorNo
    this.#actors[node]!++
  }

  /** All sequences that were counted. */
  paths(): { tags: number[]; actors: number; occurrences: number }[] {
    return this.#occurrences.flatMap((occurrences, node) =>
      occurrences === 0 ? [] : [{ tags: this.#sequence(node), actors: this.#actors[node]!, occurrences }],
    )
  }

  #sequence(node: number): number[] {
    const tags: number[] = []
    for (let at = node; at !== PathTree.ROOT; at = this.#parents[at]!) tags.push(this.#tags[at]!)
    return tags.reverse()
  }
}
