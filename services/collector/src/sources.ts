import { createHash } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import type { Component, HealthCheck, Logger } from '@platform-events/runtime'
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
const UNKNOWN_KEY_MS = 500
/** Requests that may wait for an extra refresh; more get a 503, lest made-up keys pile up requests. */
const MAX_WAITING = 100
const MAX_REMEMBERED = 10_000

/**
 * The sources, kept in memory and refreshed from Postgres. While Postgres is away the last good copy serves, from memory or,
 * after a restart, from its file: that stops no ingestion. A key that is unknown causes one refresh at once, so that a new source
 * works with its first event; while that refresh fails the answer is "ask again", not "unknown".
 */
export function sourceDirectory(options: SourceDirectoryOptions): SourceDirectory {
  const { load, file, logger, refreshMs = REFRESH_MS, unknownKeyMs = UNKNOWN_KEY_MS } = options
  let holders: Map<string, KeyHolder> | null = null
  let saved = ''
  let staleSince: Date | null = null
  let refreshing: Promise<boolean> | null = null
  let extra: Promise<boolean> | null = null
  let lastExtraMs = Number.NEGATIVE_INFINITY
  let waiting = 0
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const unknown = new Set<string>()

  async function refresh(): Promise<boolean> {
    try {
      const sources = await load()
      holders = holdersOf(sources)
      unknown.clear()
      if (staleSince !== null) logger.info({ sources: sources.length }, 'sources are fresh again')
      staleSince = null
      await save(sources)
      return true
    } catch (err) {
      if (staleSince === null) logger.warn({ err }, 'sources cannot be read from Postgres, the last good copy serves')
      staleSince ??= new Date()
      return false
    }
  }

  async function save(sources: Source[]): Promise<void> {
    const text = JSON.stringify(sources)
    if (text === saved) return
    try {
      await writeSourcesFile(file, sources)
      saved = text
    } catch (err) {
      logger.warn({ err, file }, 'the copy of the sources cannot be written')
    }
  }

  /** One at a time. */
  function refreshOnce(): Promise<boolean> {
    refreshing ??= refresh().finally(() => {
      refreshing = null
    })
    return refreshing
  }

  /** A refresh that begins after this call, not sooner than `unknownKeyMs` after the one before; shared by all who wait. */
  function extraRefresh(): Promise<boolean> {
    extra ??= (async () => {
      await pause(lastExtraMs + unknownKeyMs - performance.now())
      if (refreshing !== null) await refreshing
      lastExtraMs = performance.now()
      extra = null
      return refreshOnce()
    })()
    return extra
  }

  function lookUp(key: string): KeyHolder | undefined {
    return holders?.get(key) ?? (key.startsWith('sk_') ? holders?.get(sha256(key)) : undefined)
  }

  async function findAfresh(key: string): Promise<KeyHolder | null> {
    if (waiting >= MAX_WAITING) throw away('Too many unknown keys at once.')
    waiting++
    try {
      const fresh = await extraRefresh()
      const holder = lookUp(key)
      if (holder !== undefined) return holder
      if (!fresh) throw away('Whether this key is known cannot be said now.')
      if (unknown.size < MAX_REMEMBERED) unknown.add(key)
      return null
    } finally {
      waiting--
    }
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => void refreshOnce().then(schedule), refreshMs).unref()
  }

  return {
    name: 'sources',
    async start() {
      stopped = false
      if (!(await refreshOnce())) {
        const copy = await readSourcesFile(file).catch((err: unknown) => {
          logger.error({ err, file }, 'the copy of the sources cannot be read')
          return null
        })
        if (copy !== null) holders = holdersOf(copy)
      }
      schedule()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await refreshing
    },
    find(key) {
      const holder = lookUp(key)
      if (holder !== undefined) return holder
      return unknown.has(key) ? null : findAfresh(key)
    },
    check() {
      if (holders === null) return { ok: false, detail: 'no sources yet: Postgres does not answer' }
      const sources = new Set(Array.from(holders.values(), ({ source }) => source.sourceId)).size
      if (staleSince === null) return { ok: true, detail: `${sources} sources` }
      return { ok: true, detail: `${sources} sources, not refreshed since ${staleSince.toISOString()}` }
    },
  }
}

/** By public key as it is, by secret key as the hex of its hash; the two cannot meet. */
function holdersOf(sources: Source[]): Map<string, KeyHolder> {
  const holders = new Map<string, KeyHolder>()
  for (const source of sources) {
    holders.set(source.writeKey, { source, secret: false })
    if (source.secretKeyHash !== null) holders.set(`sha256:${source.secretKeyHash}`, { source, secret: true })
  }
  return holders
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

function away(message: string): RequestError {
  return new RequestError('database_unavailable', message, { retryAfterSeconds: 1 })
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}
