import { at, type Random, randomOf } from '../chaos/random.ts'

/** Choices from one seed: the same seed, the same choices. */
export interface Choices {
  /** A whole number of [low, high]. */
  whole(low: number, high: number): number
  chance(share: number): boolean
  oneOf<T>(items: readonly T[]): T
  /** Some of the items, none twice, in a random order. */
  someOf<T>(items: readonly T[], count: number): T[]
  uuid(): string
}

export function choicesOf(seed: number): Choices {
  const random: Random = randomOf(seed)
  const whole = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1))
  const hex = (digits: number): string => Array.from({ length: digits }, () => whole(0, 15).toString(16)).join('')
  return {
    whole,
    chance: (share) => random() < share,
    oneOf: (items) => at(items, random()),
    someOf: (items, count) =>
      items
        .map((item) => ({ item, key: random() }))
        .sort((a, b) => a.key - b.key)
        .slice(0, count)
        .map(({ item }) => item),
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  }
}
