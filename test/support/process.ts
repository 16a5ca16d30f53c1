import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A real process of ours that answers HTTP. */
export interface ServingProcess {
  url: string
  /** Everything that it has printed. */
  output(): string
  /** Milliseconds from the spawn to the first 200 of /readyz. */
  readyAfterMs: number
  pid: number
  /** SIGKILL, as a crash does it. */
  kill(): Promise<void>
  /** SIGINT, as Ctrl-C does it, unless told. Resolves with the exit code. */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<number | null>
}

export interface ProcessOptions {
  args: string[]
  port: number
  env: Record<string, string>
  cwd?: string
}

/** Starts Node with these arguments and waits until /readyz on this port says that every part is ready. */
export async function startProcess(options: ProcessOptions & { deadlineMs?: number }): Promise<ServingProcess> {
  const begun = Date.now()
  const launched = launchProcess(options)
  await ready(launched.url, launched.child, launched.output, options.deadlineMs ?? 60_000)
  return { ...launched, readyAfterMs: Date.now() - begun }
}

export interface LaunchedProcess extends Omit<ServingProcess, 'readyAfterMs'> {
  child: ChildProcess
}

/** The same, without waiting for anything. */
export function launchProcess(options: ProcessOptions): LaunchedProcess {
  const child = spawn(process.execPath, options.args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, PORT: String(options.port), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    return child.exitCode
  }
  return {
    child,
    url: `http://127.0.0.1:${options.port}`,
    output: collectOutput(child),
    pid: child.pid!,
    kill: async () => void (await end('SIGKILL')),
    stop: (signal = 'SIGINT') => end(signal),
  }
}

export type ServiceName = 'collector' | 'consumer' | 'query' | 'retention'

/** Starts one service alone, as `pnpm --filter @platform-events/<name> start` does. */
export function startService(
  name: ServiceName,
  options: { port: number; env: Record<string, string> },
): Promise<ServingProcess> {
  return startProcess({ ...serviceProcess(name), ...options })
}

/** What runs a service alone. */
export function serviceProcess(name: ServiceName): { args: string[]; cwd: string } {
  return { args: ['--import', 'tsx', 'src/main.ts'], cwd: `${root}services/${name}` }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function collectOutput(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (chunk: string) => {
      text += chunk
    })
  }
  return () => text
}

async function ready(url: string, child: ChildProcess, output: () => string, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs
  let last = 'no answer'
  while (Date.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended before it was ready:\n${output()}`)
    try {
      const answer = await fetch(`${url}/readyz`)
      if (answer.ok) return
      last = await answer.text()
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill('SIGKILL')
  throw new Error(`not ready after ${deadlineMs} ms: ${last}\n${output()}`)
}
