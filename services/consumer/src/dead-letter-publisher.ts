import { type DeadLetterTopic, LogUnavailableError } from '@platform-events/event-log'
import { classify, inTransaction, type Pool } from '@platform-events/postgres'
import { Backoff, type Counter, type Logger, type Registry, reasonOf } from '@platform-events/runtime'
import { countLetters, removeLetters, takeLetters } from './dead-letter-outbox.ts'
import { deadLetterMetrics } from './metrics.ts'
import { unlessAborted } from './unless-aborted.ts'

export interface DeadLetterPublisherOptions {
  pool: Pool
  topic: DeadLetterTopic
  logger: Logger
  metrics: Registry
  /** Letters in one request to Kafka; 200 unless told. */
  maxLetters?: number
  /** The bytes of such a request; one letter alone may have more. 900,000 unless told. */
  maxBytes?: number
  /** How often it looks for what others left behind; 5 s unless told. */
  pollMs?: number
  /** The first and the longest pause between two attempts. */
  backoffMs?: [first: number, longest: number]
}

/** What a stop gives to the request under way: it is repeated later if it is given up. */
const STOP_GRACE_MS = 1000
/** Longer than a publish takes, however it ends: a publisher that is frozen, or gone without a word, must not keep its letters for ever. */
const SILENCE_MS = 120_000
const STATEMENT_TIMEOUT_MS = 10_000

/**
 * Publishes dead letters on their topic, in a loop of its own beside the loads: each at least once. Its locks are what keeps two
 * publishers from publishing the same letter at once; a kill between Kafka's answer and the COMMIT publishes it again, with the same
 * `dead_letter_id`.
 */
export class DeadLetterPublisher {
  readonly #options: DeadLetterPublisherOptions
  readonly #published: Counter
  readonly #stopping = new AbortController()
  readonly #givingUp = new AbortController()
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #wake: (() => void) | undefined
  #woken = false
  #trouble: string | undefined
  #told: string | undefined

  constructor(options: DeadLetterPublisherOptions) {
    this.#options = options
    this.#published = deadLetterMetrics(options.metrics, () => countLetters(options.pool))
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** There are letters: a load that wrote some was committed. */
  wake(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Publishes no more than it has begun to, and closes the topic. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** What /readyz says while letters wait for Kafka; empty when none do. */
  async trouble(): Promise<string> {
    const reason = this.#trouble
    const waiting = reason === undefined ? 0 : await countLetters(this.#options.pool)
    if (waiting === 0) return ''
    return `${waiting} dead ${waiting === 1 ? 'letter is' : 'letters are'} not on ${this.#options.topic.name} yet: ${reason}`
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake?.()
    const timer = setTimeout(() => this.#givingUp.abort(), STOP_GRACE_MS)
    await this.#running
    clearTimeout(timer)
    await this.#options.topic.close()
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(...(this.#options.backoffMs ?? [200, 15_000]))
    while (!this.#stopping.signal.aborted) {
      try {
        this.#woken = false
        await unlessAborted(this.#givingUp.signal, this.#publishAll())
        this.#recovered()
        backoff.reset()
        await this.#idle()
      } catch (error) {
        if (this.#givingUp.signal.aborted) return
        await unlessAborted(this.#givingUp.signal, this.#note(error)).catch(() => undefined)
        await backoff.pause(this.#stopping.signal)
      }
    }
  }

  async #publishAll(): Promise<void> {
    await this.#options.topic.open()
    while ((await this.#publishSome()) && !this.#stopping.signal.aborted);
  }

  /** @returns whether there was anything to do */
  async #publishSome(): Promise<boolean> {
    const { pool, topic, maxLetters = 200, maxBytes = 900_000 } = this.#options
    return await inTransaction(
      pool,
      async (client) => {
        const letters = await takeLetters(client, { letters: maxLetters, bytes: maxBytes })
        if (letters.length === 0) return false
        const messages = letters.flatMap(({ message }) => message ?? [])
        if (messages.length > 0) await unlessAborted(this.#givingUp.signal, topic.publish(messages))
        await removeLetters(
          client,
          letters.map(({ id }) => id),
        )
        this.#published.inc(messages.length)
        return true
      },
      {
        applicationName: 'platform-events dead letters',
        idleInTransactionTimeoutMs: SILENCE_MS,
        silenceMs: SILENCE_MS,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      },
    )
  }

  async #idle(): Promise<void> {
    if (this.#woken || this.#stopping.signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.pollMs ?? 5000)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  /** Once in the log, and only where it keeps a letter waiting: /readyz says what it is now. */
  async #note(error: unknown): Promise<void> {
    const { pool, topic, logger } = this.#options
    const reason = reasonOf(error)
    this.#trouble = reason
    if (reason === this.#told) return
    const ours = !(error instanceof LogUnavailableError) && classify(error) === 'ours'
    // Nobody can say while Postgres is away, which those who load tell of.
    const waiting = await countLetters(pool).catch(() => 0)
    if (waiting === 0 && !ours) return
    this.#told = reason
    logger[ours ? 'error' : 'warn']({ topic: topic.name, waiting, reason }, 'dead letters not published, trying again')
  }

  #recovered(): void {
    if (this.#told !== undefined) this.#options.logger.info('dead letters are published again')
    this.#trouble = undefined
    this.#told = undefined
  }
}
