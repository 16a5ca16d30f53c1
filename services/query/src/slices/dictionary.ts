/** Texts by number, in the order in which they came first. Shared by all days of one question. */
export class Dictionary {
  readonly texts: string[] = []
  readonly #codes = new Map<string, number>()

  /** @param texts those that have a code already, from 0 */
  constructor(texts: readonly string[] = []) {
    for (const text of texts) this.code(text)
  }

  code(text: string): number {
    const known = this.#codes.get(text)
    if (known !== undefined) return known
    const code = this.texts.length
    this.texts.push(text)
    this.#codes.set(text, code)
    return code
  }
}
