import type { TopicPartition } from '@platform-events/event-log'
import { classify, type Pool, sqlstateOf } from '@platform-events/postgres'
import { type Logger, reasonOf } from '@platform-events/runtime'
import { readOffset } from './offsets.ts'

/** The stored offsets, as the log asks for them. What keeps Postgres from telling them is said once, and not for each attempt. */
export class StoredOffsets {
  readonly #pool: Pool
  readonly #logger: Logger
  #trouble: string | undefined

  constructor(pool: Pool, logger: Logger) {
    this.#pool = pool
    this.#logger = logger
  }

  /** Why they cannot be read; undefined while they can. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** @returns the stored next offset; null where nothing is stored */
  async read(topicPartition: TopicPartition): Promise<number | null> {
    try {
      const stored = await readOffset(this.#pool, topicPartition)
      if (this.#trouble !== undefined) this.#logger.info('stored offsets are read again')
      this.#trouble = undefined
      return stored
    } catch (error) {
      const reason = [sqlstateOf(error), reasonOf(error)].filter(Boolean).join(' ')
      const level = classify(error) === 'ours' ? 'error' : 'warn'
      if (reason !== this.#trouble) this.#logger[level]({ reason }, 'stored offsets are not read, trying again')
      this.#trouble = reason
      throw error
    }
  }
}
