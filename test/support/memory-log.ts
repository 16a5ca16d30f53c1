import type { LoggedEvent } from '../../packages/contracts/src/index.ts'
import { type EventLog, type LogRecord, LogUnavailableError } from '../../packages/event-log/src/index.ts'

/** The appending half of an event log, in memory, for tests of those who append: it can be read, made to fail, and held up. */
export class MemoryLog implements Pick<EventLog, 'append'> {
  readonly records: LogRecord[] = []
  #failure: Error | null = null
  #held: Promise<void> | null = null

  async append(records: LogRecord[]): Promise<void> {
    await this.#held
    if (this.#failure !== null) throw this.#failure
    this.records.push(...records)
  }

  /** All events appended so far, parsed as a consumer would. */
  events(): LoggedEvent[] {
    return this.records.flatMap(({ value }) =>
      value
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LoggedEvent),
    )
  }

  /** From now on every append fails so; null: no more. */
  fail(error: Error | null = new LogUnavailableError('made unavailable by the test')): void {
    this.#failure = error
  }

  /** Appends wait until the function returned is called. */
  hold(): () => void {
    let release = () => {}
    this.#held = new Promise((resolve) => {
      release = resolve
    })
    return release
  }
}
