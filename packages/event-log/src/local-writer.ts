import { type LogRecord, LogUnavailableError } from './event-log.ts'
import { encodeRecord } from './local-record.ts'
import type { LocalStore } from './local-store.ts'

/** The most that one commit takes, so that the first in it do not wait long for the last. */
const COMMIT_BYTES = 4 * 1024 * 1024

/** The most that waits in memory for its commit, before appends are refused. */
const WAITING_BYTES = 64 * 1024 * 1024

interface Append {
  values: Buffer[]
  bytes: number
  resolve(): void
  reject(error: LogUnavailableError): void
}

export interface WriterOptions {
  /** Appends are refused when the log would hold more. */
  maxBytes: number
  clock: () => number
  /** Called after every commit of records. */
  onAppended: () => void
}

/**
 * The one writer of a local log. What is appended while a commit is under way goes together into the next one (group
 * commit), in the order of the calls; other changes take their turn between two commits.
 */
export class LocalWriter {
  readonly #store: LocalStore
  readonly #options: WriterOptions
  #waiting: Append[] = []
  #waitingBytes = 0
  #changes: (() => Promise<void>)[] = []
  #running: Promise<void> | undefined

  constructor(store: LocalStore, options: WriterOptions) {
    this.#store = store
    this.#options = options
  }

  append(records: LogRecord[]): Promise<void> {
    const appendedAt = this.#options.clock()
    const values = records.map((record) => encodeRecord(record, appendedAt))
    const bytes = values.reduce((sum, value) => sum + value.length, 0)
    if (this.#waitingBytes + bytes > WAITING_BYTES && this.#waiting.length > 0)
      return Promise.reject(new LogUnavailableError(`the disk is behind: ${this.#waitingBytes} bytes wait for it`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ values, bytes, resolve, reject })
      this.#waitingBytes += bytes
      this.#start()
    })
  }

  /** Runs a change of the store while no commit is under way. */
  change<T>(change: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#changes.push(() => change().then(resolve, reject))
      this.#start()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #start(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // What this turn of the event loop still appends belongs into the first commit too.
    await new Promise(setImmediate)
    while (this.#waiting.length > 0 || this.#changes.length > 0) {
      await this.#changes.shift()?.()
      if (this.#waiting.length > 0) await this.#commit(this.#takeGroup())
    }
    // In the same turn as the last look at the queues: an append after it must find nothing running, and start anew.
    this.#running = undefined
  }

  #takeGroup(): Append[] {
    let bytes = 0
    let count = 0
    for (const append of this.#waiting) {
      if (count > 0 && bytes + append.bytes > COMMIT_BYTES) break
      bytes += append.bytes
      count += 1
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  async #commit(group: Append[]): Promise<void> {
    try {
      const bytes = group.reduce((sum, append) => sum + append.bytes, 0)
      if (this.#store.bytes() + bytes > this.#options.maxBytes)
        throw new Error(`the log is full: ${this.#store.bytes()} of ${this.#options.maxBytes} bytes`)
      await this.#store.append(group.flatMap((append) => append.values))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      for (const append of group)
        append.reject(new LogUnavailableError(`the local log took nothing: ${reason}`, { cause }))
      return
    }
    for (const append of group) append.resolve()
    this.#options.onAppended()
  }
}
