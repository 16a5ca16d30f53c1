import { LogUnavailableError } from './event-log.ts'

export interface AppendQueueOptions<Item> {
  /** Makes a group durable; called for one group at a time. `waitedMs`: since the oldest append in it was called. */
  write(items: Item[], waitedMs: number): Promise<void>
  /** The most that one group holds, so that the first in it do not wait long for the last. */
  groupBytes: number
  /** How long a group waits for more; 0: until this turn of the event loop is over. */
  lingerMs: number
  /** When a group fails, what waits behind it fails too. */
  failTogether: boolean
}

interface Append<Item> {
  items: Item[]
  bytes: number
  since: number
  resolve(): void
  reject(error: LogUnavailableError): void
}

/** The most that waits in memory, before appends are refused. */
const WAITING_BYTES = 32 * 1024 * 1024

/**
 * Gathers appends into groups, in the order of the calls, and has one group written after another: what is appended while a write is
 * under way goes together into the next one (group commit). One write at a time is also what keeps the order.
 */
export class AppendQueue<Item> {
  readonly #options: AppendQueueOptions<Item>
  #waiting: Append<Item>[] = []
  #waitingBytes = 0
  #changes: (() => Promise<void>)[] = []
  #running: Promise<void> | undefined
  #hurry: (() => void) | undefined

  constructor(options: AppendQueueOptions<Item>) {
    this.#options = options
  }

  /** @throws LogUnavailableError when the group could not be written, or too much waits already */
  append(items: Item[], bytes: number): Promise<void> {
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes > WAITING_BYTES)
      return Promise.reject(new LogUnavailableError(`the log is behind: ${this.#waitingBytes} bytes wait for it`))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, bytes, since: performance.now(), resolve, reject })
      this.#waitingBytes += bytes
      if (this.#waitingBytes >= this.#options.groupBytes) this.#hurry?.()
      this.#start()
    })
  }

  /** Does something while no write is under way. */
  between<T>(change: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#changes.push(() => change().then(resolve, reject))
      this.#hurry?.()
      this.#start()
    })
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) {
      this.#hurry?.()
      await this.#running
    }
  }

  #start(): void {
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#changes.length > 0) {
      if (this.#changes.length === 0) await this.#linger()
      await this.#changes.shift()?.()
      if (this.#waiting.length > 0) await this.#write(this.#takeGroup())
    }
    // In the same turn as the last look at the queues: an append after it must find nothing running, and start anew.
    this.#running = undefined
  }

  #linger(): Promise<void> {
    if (this.#waitingBytes >= this.#options.groupBytes) return Promise.resolve()
    return new Promise((resolve) => {
      if (this.#options.lingerMs === 0) {
        setImmediate(resolve)
        return
      }
      const timer = setTimeout(resolve, this.#options.lingerMs)
      this.#hurry = () => {
        clearTimeout(timer)
        this.#hurry = undefined
        resolve()
      }
    })
  }

  #takeGroup(): Append<Item>[] {
    let bytes = 0
    let count = 0
    for (const append of this.#waiting) {
      if (count > 0 && bytes + append.bytes > this.#options.groupBytes) break
      bytes += append.bytes
      count += 1
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  async #write(group: Append<Item>[]): Promise<void> {
    try {
      const waitedMs = performance.now() - group[0]!.since
      await this.#options.write(
        group.flatMap((append) => append.items),
        waitedMs,
      )
    } catch (cause) {
      const behind = this.#options.failTogether ? this.#waiting.splice(0) : []
      if (behind.length > 0) this.#waitingBytes = 0
      const reason = cause instanceof Error ? cause.message : String(cause)
      const error = new LogUnavailableError(`not in the log: ${reason}`, { cause })
      for (const append of [...group, ...behind]) append.reject(error)
      return
    }
    for (const append of group) append.resolve()
  }
}
