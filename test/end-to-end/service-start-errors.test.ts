import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../support/kafka.ts'
import { freePort } from '../support/process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let nobody: string
beforeEach(async () => {
  dataDir = await makeDataDir()
  nobody = `127.0.0.1:${await freePort()}`
})
afterEach(() => dataDir.remove())

/** Runs a service alone to its end; it must end by itself. */
function start(name: string, env: Record<string, string>) {
  const run = spawnSync(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    cwd: `${root}services/${name}`,
    env: { ...process.env, DATABASE_URL: `postgres://u:secret@${nobody}/x`, DATA_DIR: dataDir.path, ...env },
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect(run.signal, run.stdout).toBeNull()
  return { status: run.status, says: run.stderr.trim() }
}

test.each(['query', 'retention'])('a %s whose port is taken says so in a sentence and ends', async (name) => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const { status, says } = start(name, { PORT: String(port) })
  other.close()
  expect(status).toBe(1)
  expect(says).toBe(`Port ${port} is taken. Stop what listens there, or take another one: PORT=${port + 1}`)
})

test.skipIf(kafkaMissing() !== null).each([
  ['consumer', 'stored offsets are not read, trying again'],
  ['collector', 'no sources from Postgres, the last good copy serves'],
])('a %s without Postgres says so once, and waits for it', async (name, line) => {
  const port = await freePort()
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    cwd: `${root}services/${name}`,
    env: {
      ...process.env,
      DATABASE_URL: `postgres://u:secret@${nobody}/x`,
      DATA_DIR: dataDir.path,
      KAFKA_BROKERS: kafkaBrokers().join(','),
      KAFKA_TOPIC: uniqueTopic(),
      PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  try {
    await vi.waitFor(() => expect(output).toContain(line), { timeout: 30_000 })
    await vi.waitFor(
      async () =>
        expect(await (await fetch(`http://127.0.0.1:${port}/readyz`)).text()).toMatch(/Postgres|ECONNREFUSED/),
      { timeout: 10_000 },
    )
    const warnings = output.split('\n').filter((text) => /"level":[456]0/.test(text))
    expect(warnings).toEqual([expect.stringContaining(line)])
    expect(output).not.toMatch(/"stack"/)
  } finally {
    child.kill('SIGINT')
    await once(child, 'exit')
  }
  expect(child.exitCode).toBe(0)
})
