import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, rename, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lastLines } from './embedded-data.ts'
import { diskFullError, EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { type Account, surroundings } from './run-command.ts'

export interface ServerProcess {
  pid: number
  /** Fast shutdown (open transactions are rolled back); immediate after 8 s, SIGKILL after 12 s. */
  stop(): Promise<void>
}

export interface ServerOptions {
  postgres: string
  account: Account | undefined
  dataFolder: string
  port: number
  settings: Record<string, string>
  logFile: string
  /** Called when the server ends although nobody stopped it. */
  onExit: (error: Error) => void
}

/** Longer than any crash recovery with our max_wal_size should last. */
const READY_DEADLINE_MS = 300_000

const KEEP_LOG_BYTES = 16 * 1024 * 1024

/** Starts the server and waits until it takes connections. */
export async function launchServer(options: ServerOptions): Promise<ServerProcess> {
  const logged = await openLog(options.logFile)
  const settings = Object.entries({ ...options.settings, port: String(options.port) })
  const child = spawn(
    options.postgres,
    ['-D', options.dataFolder, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // A process group of its own: Ctrl-C in the terminal reaches us alone, and our ordered shutdown ends the server.
    { ...surroundings(options.account), detached: true, stdio: ['ignore', logged.handle.fd, logged.handle.fd] },
  )
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  await logged.handle.close()
  await untilReady(child, ended, options, logged.from)
  child.unref()

  let stopping = false
  void ended.then((how) => {
    if (!stopping)
      options.onExit(new EmbeddedPostgresError(`Postgres ended by itself (${how}): see ${options.logFile}.`))
  })
  return {
    pid: child.pid!,
    async stop() {
      stopping = true
      child.ref()
      await endServer(child, ended)
    },
  }
}

/** Whether a port of 127.0.0.1 can be listened on; port 0 asks the system to choose. */
export async function freePort(port: number): Promise<number | undefined> {
  const probe = createServer()
  const free = await new Promise<number | undefined>((resolve) => {
    probe.on('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => resolve((probe.address() as { port: number }).port))
  })
  if (free !== undefined) {
    probe.close()
    await once(probe, 'close')
  }
  return free
}

/** Ready is what the server itself writes into the eighth line of postmaster.pid; pg_ctl looks there, too. */
async function untilReady(
  child: ChildProcess,
  ended: Promise<string>,
  options: ServerOptions,
  logFrom: number,
): Promise<void> {
  const file = join(options.dataFolder, 'postmaster.pid')
  const deadline = Date.now() + READY_DEADLINE_MS
  while (Date.now() < deadline) {
    const how = await Promise.race([ended, delay(10)])
    if (how !== undefined) throw await startError(how, options, logFrom)
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return
  }
  await endServer(child, ended)
  throw new EmbeddedPostgresError(`Postgres was not ready after ${READY_DEADLINE_MS / 1000} s: see ${options.logFile}.`)
}

async function startError(how: string, options: ServerOptions, logFrom: number): Promise<Error> {
  const log = await readFile(options.logFile).catch(() => Buffer.alloc(0))
  const said = lastLines(log.subarray(logFrom).toString('utf8'))
  const full = await diskFullError(options.dataFolder)
  return full ?? new EmbeddedPostgresError(`Postgres did not start (${how}). Its last words: ${said || 'none'}`)
}

async function endServer(child: ChildProcess, ended: Promise<string>): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', 8_000],
    ['SIGQUIT', 4_000],
    ['SIGKILL', 4_000],
  ] as const) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    child.kill(signal)
    const timer = new AbortController()
    const done = await Promise.race([
      ended.then(() => true),
      delay(patience, false, { signal: timer.signal }).catch(() => false),
    ])
    timer.abort()
    if (done) return
  }
  throw new EmbeddedPostgresError(`Postgres (pid ${child.pid}) does not end, not even by SIGKILL.`)
}

async function openLog(file: string): Promise<{ handle: Awaited<ReturnType<typeof open>>; from: number }> {
  try {
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    )
    if (size > KEEP_LOG_BYTES) await rename(file, `${file}.1`)
    return { handle: await open(file, 'a', 0o600), from: size > KEEP_LOG_BYTES ? 0 : size }
  } catch (error) {
    throw folderError(error, file)
  }
}
