import type { TopicPartition } from '@platform-events/event-log'
import { classify, type Pool, sqlstateOf } from '@platform-events/postgres'
import { type Logger, reasonOf } from '@platform-events/runtime'
import type { OutsideTheLog } from './loss-events.ts'
import type { Losses } from './losses.ts'
import { readOffset } from './offsets.ts'

/**
 * The stored offsets, as the log asks for them; where they and the log do not meet, the loss is kept before delivery goes on.
 * What keeps Postgres from telling them is said once, and not for each attempt.
 */
export class StoredOffsets {
  readonly #pool: Pool
  readonly #logger: Logger
  readonly #losses: Losses
  #trouble: string | undefined

  constructor(pool: Pool, logger: Logger, losses: Losses) {
    this.#pool = pool
    this.#logger = logger
    this.#losses = losses
  }

  /** Why they cannot be read; undefined while they can. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** @returns the stored next offset; null where nothing is stored */
  async read(topicPartition: TopicPartition): Promise<number | null> {
    return await this.#ask(async () => {
      const stored = await readOffset(this.#pool, topicPartition)
      if (stored === null) await this.#losses.newLog(topicPartition)
      return stored
    })
  }

  /** Moves an offset that lies outside its log to where the log goes on, and keeps the loss. */
  async move(outside: OutsideTheLog): Promise<void> {
    await this.#ask(() => this.#losses.outside(outside))
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask()
      if (this.#trouble !== undefined) this.#logger.info('stored offsets are read again')
      this.#trouble = undefined
      return answer
    } catch (error) {
      const reason = [sqlstateOf(error), reasonOf(error)].filter(Boolean).join(' ')
      const level = classify(error) === 'ours' ? 'error' : 'warn'
      if (reason !== this.#trouble) this.#logger[level]({ reason }, 'stored offsets are not read, trying again')
      this.#trouble = reason
      throw error
    }
  }
}
