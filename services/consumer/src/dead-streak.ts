import type { DeadLine } from './event-row.ts'

/** So many dead letters in a row with one code: the fault is ours, and nothing of it is dead-lettered. */
export class DeadStreakError extends Error {
  /** SQLSTATE or reason. */
  readonly code: string

  constructor(code: string, length: number, message: string) {
    super(`${length} dead letters in a row with ${code}: ${message}`)
    this.name = 'DeadStreakError'
    this.code = code
  }
}

/** Counts dead letters that follow each other with one code, over loads. */
export class DeadStreak {
  readonly #limit: number
  #code = ''
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws DeadStreakError when the limit is reached */
  dead({ sqlstate, reason, message }: DeadLine): void {
    const code = sqlstate ?? reason
    this.#length = code === this.#code ? this.#length + 1 : 1
    this.#code = code
    if (this.#length >= this.#limit) throw new DeadStreakError(code, this.#length, message)
  }

  stored(): void {
    this.#length = 0
  }

  /** The count as it stands, for a load that may be undone. */
  copy(): DeadStreak {
    const copy = new DeadStreak(this.#limit)
    copy.#code = this.#code
    copy.#length = this.#length
    return copy
  }
}
