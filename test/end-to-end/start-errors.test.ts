import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { startStandalone } from '../support/standalone.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const asRoot = process.getuid?.() === 0

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
beforeEach(async () => {
  dataDir = await makeDataDir()
})
afterEach(() => dataDir.remove())

/** Runs `npm start`'s command to its end; it must end by itself. */
function start(env: Record<string, string>, node: string[] = [], command = process.execPath) {
  const clean = { ...process.env, DATABASE_URL: '', KAFKA_BROKERS: '', DATA_DIR: dataDir.path, ...env }
  const run = spawnSync(command, [...node, 'infra/run.mjs', 'start'], {
    cwd: root,
    env: clean,
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect(run.signal, run.stdout).toBeNull()
  expect(run.stderr).not.toMatch(/^\s+at /m)
  return { status: run.status, says: run.stderr.trim() }
}

test('a port that is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const { status, says } = start({ PORT: String(port) })
  other.close()
  expect(status).toBe(1)
  expect(says).toBe(`Port ${port} is taken. Stop what listens there, or take another one: PORT=${port + 1} npm start`)
})

test('a data folder that another process works in', async () => {
  const first = await startStandalone({ dataDir: dataDir.path, port: await freePort() })
  try {
    const { status, says } = start({ PORT: String(await freePort()) })
    expect(status).toBe(1)
    expect(says).toContain(`in use by process ${first.pid}`)
    // The first one is none the worse for it.
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
  } finally {
    await first.stop()
  }
})

test('a Node that is too old', () => {
  const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"18.19.0"})'
  const { status, says } = start({}, ['--import', old])
  expect(status).toBe(1)
  expect(says).toMatch(/^Node 20\.20 or newer is needed; this is Node 18\.19\.0\./)
})

test('settings that are wrong, all at once', () => {
  const { status, says } = start({ PORT: '99999', DATABASE_URL: 'mysql://me:secret@localhost' })
  expect(status).toBe(1)
  expect(says).toMatch(/PORT=99999: .*\n.*DATABASE_URL=…: .*postgres:\/\//)
  expect(says).not.toContain('secret')
})

test.each([
  ['password', /^Postgres refuses: password authentication failed for user/],
  ['database', /^Postgres refuses: database "nowhere" does not exist/],
])('a Postgres that does not know this %s', async (wrong, sentence) => {
  const url = new URL(inject('postgresUrl'))
  if (wrong === 'password') url.password = 'secret'
  else url.pathname = '/nowhere'
  const { status, says } = start({ DATABASE_URL: url.href, PORT: String(await freePort()) })
  expect(status).toBe(1)
  expect(says).toMatch(sentence)
  expect(says).toContain('Compare DATABASE_URL')
  expect(says).not.toContain('secret')
})

test('a file where the data folder should be', async () => {
  const file = join(dataDir.path, 'file')
  writeFileSync(file, '')
  const { status, says } = start({ DATA_DIR: file, PORT: String(await freePort()) })
  expect(status).toBe(1)
  expect(says).toContain('DATA_DIR')
})

test.skipIf(process.platform !== 'linux')('a data folder where the system makes none', async () => {
  const { status, says } = start({ DATA_DIR: '/proc/here', PORT: String(await freePort()) })
  expect(status).toBe(1)
  expect(says).toMatch(/\/proc\/here.*: this folder cannot be made\. Give another one: DATA_DIR=/)
})

test.skipIf(process.platform === 'win32')('a data folder that may not be written to', async () => {
  const closed = join(dataDir.path, 'closed')
  mkdirSync(closed, { mode: 0o555 })
  // Root may write anywhere: there, the same command runs as a user who may not.
  const unprivileged = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath]
  const env = { DATA_DIR: closed, PORT: String(await freePort()) }
  const { status, says } = asRoot ? start(env, unprivileged, 'setpriv') : start(env)
  expect(status).toBe(1)
  expect(says).toMatch(/DATA_DIR/)
})

test('a start that fails half-way stops what it had started', async () => {
  mkdirSync(join(dataDir.path, 'access.json'))
  const { status, says } = start({ PORT: String(await freePort()) })
  expect(status).toBe(1)
  expect(says).toContain('access.json')
  const all = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n')
  expect(all.filter((line) => line.includes(dataDir.path))).toEqual([])
  rmdirSync(join(dataDir.path, 'access.json'))
  await (await startStandalone({ dataDir: dataDir.path, port: await freePort() })).stop()
})
