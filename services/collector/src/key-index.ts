import { createHash } from 'node:crypto'
import type { KeyHolder, Source } from './source.ts'

/** Finds sources by key. Secret keys are known by their hash only, in a map apart: the hash itself opens nothing. */
export class KeyIndex {
  readonly size: number
  readonly #public = new Map<string, KeyHolder>()
  readonly #secretHash = new Map<string, KeyHolder>()

  constructor(sources: Source[]) {
    this.size = sources.length
    for (const source of sources) {
      this.#public.set(source.writeKey, { source, secret: false })
      if (source.secretKeyHash !== null) this.#secretHash.set(source.secretKeyHash, { source, secret: true })
    }
  }

  find(key: string): KeyHolder | undefined {
    if (!key.startsWith('sk_')) return this.#public.get(key)
    return this.#secretHash.get(createHash('sha256').update(key).digest('hex'))
  }
}
