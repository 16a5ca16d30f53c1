import { RequestError } from '@platform-events/contracts'
import { type Component, type HealthCheck, inTime, type Logger, reasonOf } from '@platform-events/runtime'
import { KeyIndex } from './key-index.ts'
import type { KeyHolder, Source, Sources } from './source.ts'
import { readSourcesFile, writeSourcesFile } from './sources-file.ts'

export interface SourceDirectoryOptions {
  /** The enabled sources, from Postgres (`loadSources`). */
  load: () => Promise<Source[]>
  /** Where the last good copy lies. */
  file: string
  logger: Logger
  /** Between two refreshes. */
  refreshMs?: number
  /** At least this long between two refreshes that unknown keys cause. */
  unknownKeyMs?: number
}

export interface SourceDirectory extends Component, Sources {
  check: HealthCheck
}

const REFRESH_MS = 5000
/** While there are none at all, not even a copy. */
const FIRST_MS = 1000
const UNKNOWN_KEY_MS = 500
/** A load that takes longer counts as failed. */
const LOAD_DEADLINE_MS = 5000
/** A load under way may end within this when we stop: it writes the copy. */
const STOP_MS = 500
/** Requests that may wait for an extra refresh; more get a 503, lest made-up keys pile up requests. */
const MAX_WAITING = 100
/** Unknown keys that cause no further refresh until the next regular one. */
const MAX_REMEMBERED = 10_000
/** Ours have 35 characters. A longer one causes no refresh and is not remembered: a body may bring one of half a megabyte. */
const MAX_KEY_CHARACTERS = 200

/**
 * The sources, kept in memory and refreshed from Postgres. While Postgres is away the last good copy serves, from memory or,
 * after a restart, from its file: that stops no ingestion. A key that is unknown causes one refresh at once, so that a new
 * source works with its first event; while that refresh fails the answer is "ask again", not "unknown".
 */
export function sourceDirectory(options: SourceDirectoryOptions): SourceDirectory {
  const directory = new Directory(options)
  return {
    name: 'sources',
    start: () => directory.start(),
    stop: () => directory.stop(),
    find: (key) => directory.find(key),
    check: () => directory.check(),
  }
}

class Directory {
  readonly #options: SourceDirectoryOptions
  readonly #unknown = new Set<string>()
  #keys: KeyIndex | null = null
  #staleSince: Date | null = null
  #saved = ''
  #refreshing: Promise<boolean> | null = null
  #extra: Promise<boolean> | null = null
  #lastExtraMs = Number.NEGATIVE_INFINITY
  #waiting = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: SourceDirectoryOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    if (!(await this.#refresh())) await this.#readCopy()
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await Promise.race([this.#refreshing, pause(STOP_MS)])
  }

  find(key: string): Promise<KeyHolder | null> | KeyHolder | null {
    const holder = this.#keys?.find(key)
    if (holder !== undefined) return holder
    return key.length > MAX_KEY_CHARACTERS || this.#unknown.has(key) ? null : this.#findAfresh(key)
  }

  check(): ReturnType<HealthCheck> {
    if (this.#keys === null) return { ok: false, detail: 'no sources yet: Postgres does not answer' }
    const sources = `${this.#keys.size} sources`
    if (this.#staleSince === null) return { ok: true, detail: sources }
    return { ok: true, detail: `${sources}, a copy: Postgres has not answered since ${this.#staleSince.toISOString()}` }
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(
      () => {
        this.#unknown.clear()
        void this.#refresh().then(() => this.#schedule())
      },
      this.#keys === null ? FIRST_MS : (this.#options.refreshMs ?? REFRESH_MS),
    ).unref()
  }

  async #findAfresh(key: string): Promise<KeyHolder | null> {
    if (this.#waiting >= MAX_WAITING) throw unavailable('Too many unknown keys at once.')
    this.#waiting++
    try {
      const fresh = await this.#extraRefresh()
      const holder = this.#keys?.find(key)
      if (holder !== undefined) return holder
      if (!fresh) throw unavailable('Whether this key is known cannot be said now.')
      if (this.#unknown.size < MAX_REMEMBERED) this.#unknown.add(key)
      return null
    } finally {
      this.#waiting--
    }
  }

  /** A refresh that begins after this call, but not too soon after the last of its kind; shared by all who wait for it. */
  #extraRefresh(): Promise<boolean> {
    this.#extra ??= (async () => {
      await pause(this.#lastExtraMs + (this.#options.unknownKeyMs ?? UNKNOWN_KEY_MS) - performance.now())
      await this.#refreshing
      this.#lastExtraMs = performance.now()
      this.#extra = null
      return this.#refresh()
    })()
    return this.#extra
  }

  /** Loads the sources; one load at a time. Resolves with whether it went well. */
  #refresh(): Promise<boolean> {
    this.#refreshing ??= this.#load().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  async #load(): Promise<boolean> {
    const { load, logger } = this.#options
    try {
      const sources = await inTime(load(), LOAD_DEADLINE_MS, 'Postgres')
      this.#keys = new KeyIndex(sources)
      if (this.#staleSince !== null) logger.info({ sources: sources.length }, 'sources are fresh again')
      this.#staleSince = null
      await this.#writeCopy(sources)
      return true
    } catch (err) {
      if (this.#staleSince === null)
        logger.warn({ reason: reasonOf(err) }, 'no sources from Postgres, the last good copy serves')
      this.#staleSince ??= new Date()
      return false
    }
  }

  async #writeCopy(sources: Source[]): Promise<void> {
    const { file, logger } = this.#options
    const text = JSON.stringify(sources)
    if (text === this.#saved) return
    try {
      await writeSourcesFile(file, sources)
      this.#saved = text
    } catch (err) {
      logger.warn({ err, file }, 'the copy of the sources cannot be written')
    }
  }

  async #readCopy(): Promise<void> {
    const { file, logger } = this.#options
    try {
      const sources = await readSourcesFile(file)
      if (sources !== null) this.#keys = new KeyIndex(sources)
    } catch (err) {
      logger.error({ err, file }, 'the copy of the sources cannot be read')
    }
  }
}

function unavailable(message: string): RequestError {
  return new RequestError('database_unavailable', message, { retryAfterSeconds: 1 })
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}
