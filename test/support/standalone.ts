import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Standalone {
  url: string
  access: { url: string; write_key: string; secret_key: string; operator_token: string; database_url?: string }
  /** Everything that it has printed. */
  output(): string
  /** Milliseconds from the spawn to the first 200 of /readyz. */
  readyAfterMs: number
  pid: number
  /** SIGKILL, as a crash does it. */
  kill(): Promise<void>
  /** SIGINT, as Ctrl-C does it. Resolves with the exit code. */
  stop(): Promise<number | null>
}

/** Starts what `npm start` starts, as a process of its own, and waits until every part is ready. */
export async function startStandalone(options: {
  dataDir: string
  port: number
  env?: Record<string, string>
  /** The clone to start; absent: this one. */
  cwd?: string
  deadlineMs?: number
}): Promise<Standalone> {
  const begun = Date.now()
  const child = spawn(process.execPath, ['infra/run.mjs', 'start'], {
    cwd: options.cwd ?? root,
    env: { ...process.env, PORT: String(options.port), DATA_DIR: options.dataDir, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = collectOutput(child)
  const url = `http://127.0.0.1:${options.port}`
  await ready(url, child, output, options.deadlineMs ?? 60_000)
  const readyAfterMs = Date.now() - begun
  const access = JSON.parse(await readFile(join(options.dataDir, 'access.json'), 'utf8'))
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit')
    }
    return child.exitCode
  }
  return {
    url,
    access,
    output,
    readyAfterMs,
    pid: child.pid!,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGINT'),
  }
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
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended before it was ready:\n${output()}`)
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
