import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { freePort } from '../support/process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const FIRST_START_MS = 60_000

let clone: string

/** The tree as it stands, in a folder that only its owner may enter (mkdtemp's mode), without anything installed. */
beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'platform-events-clone-'))
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' })
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(join(clone, dirname(file)), { recursive: true })
    cpSync(join(root, file), join(clone, file), { verbatimSymlinks: true })
  }
})

afterEach(() => rm(clone, { recursive: true, force: true }))

test('npm start in a fresh clone that others cannot enter: an event is counted, Ctrl-C leaves nothing running', async () => {
  const port = await freePort()
  const { CI: _, ...env } = process.env
  const npm = spawn('npm', ['start'], {
    cwd: clone,
    env: { ...env, PORT: String(port), DATA_DIR: '', DATABASE_URL: '', KAFKA_BROKERS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  try {
    await vi.waitUntil(() => output.includes('Ctrl-C') || npm.exitCode !== null, { timeout: FIRST_START_MS })
    expect(npm.exitCode, output).toBeNull()

    // The printed line, as a newcomer pastes it.
    const curl = /curl .*/.exec(output)![0]
    const answer = JSON.parse(execFileSync('bash', ['-c', curl], { encoding: 'utf8' }))
    expect(answer).toMatchObject({ accepted: 1, rejected: [] })

    const access = JSON.parse(readFileSync(join(clone, 'data/access.json'), 'utf8'))
    const headers = { authorization: `Bearer ${access.operator_token}` }
    await expect
      .poll(async () => (await (await fetch(`${access.url}/v1/counts`, { headers })).json()).counts, {
        timeout: 10_000,
      })
      .toEqual([{ event_type: 'SearchStarted', event_count: 1 }])
    if (process.getuid?.() === 0) expect(output).toContain('/var/lib/platform-events')
  } finally {
    // Ctrl-C reaches the whole group, npm included.
    if (npm.exitCode === null) {
      process.kill(-npm.pid!, 'SIGINT')
      await once(npm, 'exit')
    }
    const elsewhere = /\/var\/lib\/platform-events\/[0-9a-f]{8,}/.exec(output)?.[0]
    if (elsewhere) await rm(elsewhere, { recursive: true, force: true })
  }
  expect(runningIn(clone)).toEqual([])
})

/** Command lines of processes that still work with this folder. */
function runningIn(folder: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return all.filter((line) => line.includes(folder))
}
