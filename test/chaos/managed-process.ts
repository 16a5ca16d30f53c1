import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A real process under a supervisor that starts it again, as systemd or Kubernetes would. */
export interface ManagedProcess {
  name: string
  port: number
  state(): 'up' | 'down' | 'frozen'
  /** SIGKILL, then `whileDown`, then started again. */
  kill(downMs: number, whileDown?: () => Promise<void>): Promise<void>
  /** SIGSTOP, and after a while SIGCONT. */
  freeze(ms: number): Promise<void>
  /** SIGTERM, a pause, and started again. @returns how it ended, in words */
  restart(downMs: number): Promise<string>
  /** SIGTERM, as an operator does it; resolves with the exit code, or the signal where it ended by one (SIGKILL after 30 s). */
  stop(): Promise<number | NodeJS.Signals | null>
  /** Ends that nobody caused: what it said last. */
  deaths: string[]
}

export interface ProcessOptions {
  name: string
  port: number
  cwd: string
  args: string[]
  env: Record<string, string>
  /** The run's: its output goes into `<name>.log` there, its pid into `<name>.pid`. */
  folder: string
  onDeath(name: string, lastWords: string): void
}

const RESTART_PAUSE_MS = 500

export function startManaged(options: ProcessOptions): ManagedProcess {
  const { name, port } = options
  const logFile = join(options.folder, `${name}.log`)
  const pidFile = join(options.folder, `${name}.pid`)
  const deaths: string[] = []
  let state: 'up' | 'down' | 'frozen' = 'up'
  let stopped = false
  let child = launch()

  function launch(): ChildProcess {
    const log = openSync(logFile, 'a')
    const env = { ...process.env, PORT: String(port), LOG_LEVEL: 'info', ...options.env }
    // A process group of its own: Ctrl-C reaches the attacker alone, which then ends everything in order.
    // Its command line names the run's folder, by which the reaper knows it.
    const started = spawn(process.execPath, [`--diagnostic-dir=${options.folder}`, ...options.args], {
      ...{ cwd: options.cwd, env, detached: true, stdio: ['ignore', log, log] },
    })
    closeSync(log)
    writeFileSync(pidFile, `${started.pid}\n`)
    started.on('exit', (code, signal) => {
      rmSync(pidFile, { force: true })
      if (state === 'up' && !stopped) void died(code ?? signal)
    })
    return started
  }

  async function died(how: number | NodeJS.Signals | null): Promise<void> {
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
    // What is meant for people is no JSON.
    const said = lines.findLast((line) => !line.startsWith('{')) ?? lines.at(-1)!
    const lastWords = `${how}: ${said.slice(0, 160)}`
    deaths.push(lastWords)
    options.onDeath(name, lastWords)
    await sleep(RESTART_PAUSE_MS)
    if (!stopped && state === 'up') child = launch()
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  async function endInOrder(): Promise<void> {
    child.kill('SIGCONT')
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
    await end('SIGTERM')
    clearTimeout(late)
  }

  return {
    name,
    port,
    deaths,
    state: () => state,
    async kill(downMs, whileDown) {
      state = 'down'
      await end('SIGKILL')
      await whileDown?.()
      await sleep(downMs)
      if (stopped) return
      state = 'up'
      child = launch()
    },
    async freeze(ms) {
      state = 'frozen'
      child.kill('SIGSTOP')
      await sleep(ms)
      child.kill('SIGCONT')
      state = 'up'
      if ((child.exitCode !== null || child.signalCode !== null) && !stopped) child = launch()
    },
    async restart(downMs) {
      state = 'down'
      const begun = Date.now()
      await endInOrder()
      const how = child.exitCode ?? child.signalCode
      const ms = Date.now() - begun
      await sleep(downMs)
      if (!stopped) {
        state = 'up'
        child = launch()
      }
      return how === 0 ? `ended in order after ${(ms / 1000).toFixed(1)} s` : `ended by ${how}`
    },
    async stop() {
      stopped = true
      await endInOrder()
      return child.exitCode ?? child.signalCode
    },
  }
}
