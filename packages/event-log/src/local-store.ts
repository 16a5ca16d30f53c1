import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { type DirectoryLock, inTime, lockDirectory } from '@platform-events/runtime'
import { type Database, open, type RootDatabase } from 'lmdb'

/** In the folder of the log. */
export const LOG_FILE = 'log.mdb'

/** A commit that has not ended by then is taken for failed: lmdb leaves its promise open when a transaction cannot begin. */
const COMMIT_DEADLINE_MS = 30_000

/** How long nothing is tried after a failure: a full disk must not be asked, and the file not be opened anew, for every append. */
const REFUSED_MS = 200

/** How long a measured size stays good; what is appended meanwhile is added to it. */
const MEASURED_FOR_MS = 1000

/**
 * LMDB under the local log: records by offset, without gaps from `first` to `end`, and what must outlive their removal.
 *
 * Opened without lmdb's overlapping sync, so that a commit is one thing: its promise resolves after the fsync, it rejects
 * when a write or the fsync failed, and readers see nothing that is not durable.
 */
export class LocalStore {
  readonly #directory: string
  readonly #lock: DirectoryLock
  #root!: RootDatabase
  #records!: Database<Buffer, number>
  #meta!: Database<string | number, string>
  #failure: { error: Error; at: number } | undefined
  #measured = { bytes: 0, at: 0 }
  #closed = false

  logId!: string
  /** The oldest record's offset; equal to `end` when there is none. */
  first!: number
  /** The next offset. */
  end!: number

  private constructor(directory: string, lock: DirectoryLock) {
    this.#directory = directory
    this.#lock = lock
  }

  /** @throws DirectoryLockedError while another living process has it open */
  static async open(directory: string): Promise<LocalStore> {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const lock = await lockDirectory(directory)
    try {
      const store = new LocalStore(directory, lock)
      await store.#open()
      return store
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Puts values behind the end, in one durable transaction. After a failure nothing of it is there, and the store is open anew. */
  async append(values: Buffer[]): Promise<void> {
    const from = this.end
    await this.#commit(() => {
      for (const [index, value] of values.entries()) void this.#records.put(from + index, value)
    })
    this.end = from + values.length
    for (const value of values) this.#measured.bytes += storedSize(value.length)
  }

  /** Removes the records before an offset, in one durable transaction. */
  async removeBefore(offset: number): Promise<void> {
    const from = this.first
    await this.#commit(() => {
      for (let at = from; at < offset; at += 1) void this.#records.remove(at)
      void this.#meta.put('first', offset)
    })
    this.first = offset
    this.#measured.at = 0
  }

  /** Gives the log a new identity: offsets of the old one mean nothing in it. */
  async renew(): Promise<void> {
    const logId = randomUUID()
    await this.#commit(() => void this.#meta.put('logId', logId))
    this.logId = logId
  }

  get(offset: number): Buffer | undefined {
    return this.#records.get(offset)
  }

  /** Stored values from an offset on, read as they are asked for: use them up before the next await. */
  *range(from: number): Generator<{ offset: number; value: Buffer }> {
    for (const { key, value } of this.#records.getRange({ start: from })) yield { offset: key, value }
  }

  /** Bytes of the pages that hold something. The file may be larger: LMDB uses free pages again and never gives them back. */
  bytes(): number {
    const now = performance.now()
    if (this.#measured.at === 0 || now - this.#measured.at > MEASURED_FOR_MS) {
      const pages = this.#records.getStats() as LmdbStats
      const count = pages.treeBranchPageCount + pages.treeLeafPageCount + pages.overflowPages
      this.#measured = { bytes: count * pages.pageSize, at: now }
    }
    return this.#measured.bytes
  }

  /** What comes after it fails: a log opened anew would belong to nobody's lock. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#root.close()
    this.#lock.release()
  }

  async #open(): Promise<void> {
    this.#root = open({ path: join(this.#directory, LOG_FILE), overlappingSync: false, maxDbs: 2 })
    this.#records = this.#root.openDB<Buffer, number>({ name: 'records', encoding: 'binary' })
    this.#meta = this.#root.openDB<string | number, string>({ name: 'meta', encoding: 'json' })
    if (this.#meta.get('logId') === undefined) {
      await this.#meta.put('logId', randomUUID())
      syncDirectory(this.#directory)
    }
    this.logId = this.#meta.get('logId') as string
    const [oldest] = this.#records.getKeys({ limit: 1 })
    const [newest] = this.#records.getKeys({ limit: 1, reverse: true })
    const removed = (this.#meta.get('first') as number | undefined) ?? 0
    this.first = oldest ?? removed
    this.end = newest === undefined ? removed : newest + 1
    this.#measured.at = 0
  }

  async #commit(write: () => void): Promise<void> {
    if (this.#closed) throw new Error('the local log is closed')
    if (this.#failure && performance.now() - this.#failure.at < REFUSED_MS) throw this.#failure.error
    try {
      await inTime(this.#records.batch(write), COMMIT_DEADLINE_MS, 'the disk')
      this.#failure = undefined
    } catch (error) {
      const cause = await causeOf(error)
      const reason = cause instanceof Error ? cause.message : String(cause)
      // After a failed write the environment may refuse everything (MDB_PANIC) until it is opened again.
      await this.#reopen()
      this.#failure = {
        error: new Error(`the disk took no write, is it full? (${reason})`, { cause }),
        at: performance.now(),
      }
      throw this.#failure.error
    }
  }

  async #reopen(): Promise<void> {
    await inTime(this.#root.close(), COMMIT_DEADLINE_MS, 'the disk').catch(() => undefined)
    await this.#open().catch(() => undefined)
  }
}

interface LmdbStats {
  treeBranchPageCount: number
  treeLeafPageCount: number
  overflowPages: number
  pageSize: number
}

/** What a value takes in LMDB, about: large ones have pages of their own. */
function storedSize(length: number): number {
  return length > 2000 ? Math.ceil((length + 16) / 4096) * 4096 : length + 40
}

/** A new file is durable only when its directory is. */
function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** lmdb hides the reason in a promise beside the error; unhandled, that would end the process. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> }
  if (commitError === undefined) return error
  return commitError.catch((reason: unknown) => reason)
}
