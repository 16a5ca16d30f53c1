import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'

const owner = fileURLToPath(new URL('../support/chaos-run-process.ts', import.meta.url))

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.concurrent.each(['SIGKILL', 'SIGTERM'] as const)(
  '%s of a run ends what it started, and removes its folder',
  async (signal) => {
    const run = spawn(process.execPath, ['--import', 'tsx', owner], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = (await once(run.stdout, 'data')) as [Buffer]
    const { folder, pids, spared } = JSON.parse(said.toString()) as { folder: string; pids: number[]; spared: number }
    expect([...pids, spared].map(lives)).toEqual([true, true, true])

    run.kill(signal)
    await vi.waitFor(() => expect(pids.map(lives)).toEqual([false, false]), 10_000)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), 10_000)
    expect(lives(spared)).toBe(true)
    process.kill(spared, 'SIGKILL')
  },
  30_000,
)
