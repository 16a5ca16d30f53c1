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
  if (running.length > 0) {
    await end(pid !== undefined && running.includes(pid) ? [pid] : running, dataFolder, pid)
    notes.push(`A Postgres (pid ${pid ?? running[0]}) left running by a killed process was stopped; nothing is lost.`)
  } else if (pid !== undefined) {
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

/** Fast shutdown, then immediate shutdown, then SIGKILL of all that is left. */
async function end(pids: number[], dataFolder: string, pid: number | undefined): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    for (const one of signal === 'SIGKILL' ? await serversOn(dataFolder, pid) : pids) send(one, signal)
    const deadline = Date.now() + 8_000
    while (Date.now() < deadline) {
      if ((await serversOn(dataFolder, pid)).length === 0) return
      await delay(25)
    }
  }
  throw new EmbeddedPostgresError(
    `A Postgres (pid ${pids.join(', ')}) still works on ${dataFolder} and does not stop: end it, then start again.`,
  )
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
