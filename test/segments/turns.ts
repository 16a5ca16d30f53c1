import type { Pool, PoolClient } from '@platform-events/postgres'
import { at, type Random } from '../chaos/random.ts'

/** A statement that takes longer waits for somebody else, who is let go on meanwhile. */
const BLOCKED_MS = 12
const STUCK_MS = 15_000

/** Lets those who take part in a test run one statement at a time, in an order that chance gives: every interleaving there can be, sooner or later. */
export class Turns {
  readonly #random: Random
  readonly #waiting = new Map<string, () => void>()
  readonly #live = new Set<string>()
  #arrived = () => {}
  #failure: { error: unknown } | undefined
  /** Who ran what, the newest last. */
  readonly history: string[] = []

  readonly #favoured: string

  constructor(random: Random, favoured: string) {
    this.#random = random
    this.#favoured = favoured
  }

  /** Starts somebody; `step` throws what they throw. */
  start(name: string, body: () => Promise<void>): void {
    this.#live.add(name)
    body()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#live.delete(name)
        this.#arrived()
      })
  }

  /** A pool with one connection, whose statements wait for their turns. `release` ends it, in the middle of what it does. */
  async pool(name: string, pool: Pool): Promise<{ pool: Pool; client: PoolClient; release(): void }> {
    const own = await pool.connect()
    const client = new Proxy(own, {
      get: (target, key) => {
        if (key === 'release') return () => undefined
        if (key !== 'query') return Reflect.get(target, key, target)
        return (sql: unknown, values?: unknown[]) =>
          // A COPY is a stream, which nothing can come before.
          typeof sql === 'string' ? this.#query(name, target, sql, values) : target.query(sql as never)
      },
    })
    return { pool: { connect: async () => client } as unknown as Pool, client, release: () => own.release(true) }
  }

  /**
   * Gives one of those who are waiting their turn.
   *
   * @returns what they ran; undefined when all have ended
   */
  async step(): Promise<string | undefined> {
    const stuckAt = performance.now() + STUCK_MS
    while (this.#live.size > 0 && this.#waiting.size === 0) {
      if (performance.now() > stuckAt) throw new Error(`nobody goes on: ${[...this.#live].join(', ')}`)
      await this.#arrival(() => this.#waiting.size > 0)
    }
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#live.size === 0) return undefined
    const names = [...this.#waiting.keys()]
    // As often as all others together, or it would hardly ever come to an end.
    const favoured = names.filter((name) => name === this.#favoured)
    const name = at(favoured.length > 0 && this.#random() < 0.5 ? favoured : names, this.#random())
    const go = this.#waiting.get(name)!
    this.#waiting.delete(name)
    go()
    await this.#arrival(() => this.#waiting.has(name) || !this.#live.has(name))
    return this.history.at(-1) ?? ''
  }

  async #query(name: string, client: PoolClient, sql: string, values: unknown[] | undefined) {
    await new Promise<void>((resolve) => {
      this.#waiting.set(name, resolve)
      this.#arrived()
    })
    this.history.push(
      `${name}: ${sql.trim().replaceAll(/\s+/g, ' ').slice(0, 100)} ${JSON.stringify(values ?? []).slice(0, 150)}`,
    )
    return await client.query(sql, values)
  }

  async #arrival(enough: () => boolean): Promise<void> {
    if (enough()) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, BLOCKED_MS)
      this.#arrived = () => {
        if (enough()) resolve()
      }
    })
    clearTimeout(timer)
  }
}
