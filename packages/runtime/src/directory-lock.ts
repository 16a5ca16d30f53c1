import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Another living process works in the directory. */
export class DirectoryLockedError extends Error {
  readonly pid: number
  constructor(directory: string, pid: number) {
    super(
      `${directory} is in use by process ${pid}; one at a time may work there: stop that one, or give another folder by DATA_DIR.`,
    )
    this.name = 'DirectoryLockedError'
    this.pid = pid
  }
}

export interface DirectoryLock {
  release(): void
}

interface Holder {
  pid: number
  /** Tells a process from another that got the same pid later (every container starts with pid 1). */
  started: string | null
  token: string
}

/**
 * Takes the lock file of a directory. One left by a process that is gone, also by one whose pid another program has now,
 * is taken over. Where there is no /proc, a reused pid counts as alive: then the error names it, and the file may be removed.
 *
 * @throws DirectoryLockedError while its holder lives, this process included
 */
export function lockDirectoryNow(directory: string): DirectoryLock {
  const path = join(directory, 'lock')
  const mine: Holder = { pid: process.pid, started: startOf(process.pid), token: randomUUID() }
  for (;;) {
    if (create(path, mine)) break
    const holder = read(path)
    if (holder !== null && alive(holder)) throw new DirectoryLockedError(directory, holder.pid)
    remove(path, holder)
  }
  return {
    release() {
      if (read(path)?.token === mine.token) rmSync(path, { force: true })
    },
  }
}

/**
 * The same, but a holder that is just being killed gets the time to go: its last fsync may take a moment.
 *
 * @throws DirectoryLockedError when it still lives after a second
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  for (let waited = 0; ; waited += 50) {
    try {
      return lockDirectoryNow(directory)
    } catch (error) {
      if (!(error instanceof DirectoryLockedError) || error.pid === process.pid || waited >= 1000) throw error
      await sleep(50)
    }
  }
}

/** The file appears with its content or not at all, and never in the place of another: a link does not replace. */
function create(path: string, holder: Holder): boolean {
  const draft = `${path}.${holder.token}`
  writeFileSync(draft, JSON.stringify(holder))
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Removes the stale lock only; one that a third process has made meanwhile is put back. */
function remove(path: string, stale: Holder | null): void {
  const aside = `${path}.stale.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = read(aside)
  if (moved !== null && moved.token !== stale?.token) linkSync(aside, path)
  rmSync(aside, { force: true })
}

function read(path: string): Holder | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Holder
    return typeof holder.pid === 'number' ? holder : null
  } catch {
    return null
  }
}

function alive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = startOf(holder.pid)
  return now !== 'gone' && (now === null || holder.started === null || now === holder.started)
}

/**
 * Boot and clock tick in which a process started (proc(5), stat field 22); 'gone' for one that was killed and that its parent has not
 * waited for yet (a zombie answers signals); null where there is no /proc.
 */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (afterName[0] === 'Z') return 'gone'
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${afterName[19]}`
  } catch {
    return null
  }
}
