import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import { platform } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { EmbeddedPostgresError } from './embedded-error.ts'
import { runCommand } from './run-command.ts'

/**
 * Ends what a killed parent left on this data folder: a server still running (it survives a SIGKILL of its parent), its
 * orphaned backends, a stale postmaster.pid. Whoever calls holds the lock of the folder, so nothing here is in use.
 */
export async function clearLeftOver(dataFolder: string, notes: string[]): Promise<void> {
  const file = join(dataFolder, 'postmaster.pid')
  const pid = await readPid(file)
  const running = await serversOn(dataFolder, pid)
  if (pid !== undefined && running.includes(pid)) {
    await end([pid], ['SIGINT', 'SIGQUIT', 'SIGKILL'], dataFolder, pid)
    notes.push(`A Postgres (pid ${pid}) left running by a killed process was stopped; nothing is lost.`)
  } else if (running.length > 0 || pid !== undefined) {
    // Children of a server that is gone know no shutdown but the immediate one.
    await end(running, ['SIGQUIT', 'SIGKILL'], dataFolder, pid)
    notes.push('The last run ended without a clean stop (stale postmaster.pid): Postgres recovers from its own log.')
  }
  // Postgres itself would refuse when the pid in a stale file now belongs to another program.
  await rm(file, { force: true })
}

async function readPid(file: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
  return Number.isInteger(pid) && pid > 0 ? pid : undefined
}

/** The pids of Postgres processes that work in this very folder (all of them change into it at start). */
async function serversOn(dataFolder: string, pid: number | undefined): Promise<number[]> {
  if (platform() !== 'linux') return pid !== undefined && (await isServer(pid, dataFolder)) ? [pid] : []
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const [cwd, command] = await Promise.all([
      readlink(`/proc/${name}/cwd`).catch(() => ''),
      readFile(`/proc/${name}/comm`, 'utf8').catch(() => ''),
    ])
    if (cwd === dataFolder && command.startsWith('postgres')) found.push(Number(name))
  }
  return found
}

async function isServer(pid: number, dataFolder: string): Promise<boolean> {
  const result = await runCommand('ps', ['-p', String(pid), '-o', 'command=']).catch(() => undefined)
  return /postgres/.test(result?.stdout ?? '') && (result?.stdout ?? '').includes(` -D ${dataFolder} `)
}

/** Sends one signal after the other, the last to all that is left, until nobody works on the folder. */
async function end(
  pids: number[],
  signals: NodeJS.Signals[],
  dataFolder: string,
  pid: number | undefined,
): Promise<void> {
  let left = await serversOn(dataFolder, pid)
  for (const signal of signals) {
    for (const one of signal === 'SIGKILL' ? left : pids) send(one, signal)
    const deadline = Date.now() + PATIENCE_MS
    while (left.length > 0 && Date.now() < deadline) {
      await delay(25)
      left = await serversOn(dataFolder, pid)
    }
    if (left.length === 0) return
  }
  throw new EmbeddedPostgresError(
    `A Postgres (pid ${left.join(', ')}) still works on ${dataFolder} and does not stop: end it, then start again.`,
  )
}

const PATIENCE_MS = 8_000

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
