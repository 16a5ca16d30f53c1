import { isAway, isRefusal, PostgresRefusedError } from '@platform-events/postgres'
import { Backoff, type Component, type Logger, reasonOf, waitingRoom } from '@platform-events/runtime'

export interface WhenReachedOptions {
  host: string
  port: number
  logger: Logger
  /** Its abort ends the waiting. */
  stopping: AbortSignal
  /** Tells the user a sentence. */
  say(sentence: string): void
}

/**
 * Does what needs Postgres, again and again while Postgres is away, for ever if need be; meanwhile the port is a waiting room.
 *
 * @throws what no waiting mends; the signal's reason, where it ended the waiting
 */
export async function whenPostgresIsReached<T>(work: () => Promise<T>, options: WhenReachedOptions): Promise<T> {
  const { logger, stopping, say } = options
  const backoff = new Backoff(200, 5000)
  let reason = ''
  let room: Component | undefined
  try {
    for (;;) {
      stopping.throwIfAborted()
      try {
        return await work()
      } catch (error) {
        if (isRefusal(error)) throw new PostgresRefusedError(error)
        if (!isAway(error)) throw error
        const said = reasonOf(error)
        if (said !== reason) logger.warn({ reason: said }, 'Postgres is not reached, trying again')
        reason = said
      }
      if (room === undefined) {
        room = waitingRoom({ ...options, reason: () => reason })
        await room.start()
        say(`Postgres is not reached (${reason}). This waits for it; compare DATABASE_URL with what runs.`)
      }
      await backoff.pause(stopping)
    }
  } finally {
    await room?.drain?.()
  }
}
