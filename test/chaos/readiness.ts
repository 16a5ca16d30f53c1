import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until each of these ports says 200 at /readyz. @throws what the last one said, after a minute and a half */
export async function untilReady(ports: number[]): Promise<void> {
  const deadline = Date.now() + 90_000
  for (const port of ports) {
    for (;;) {
      const said = await readiness(port)
      if (said === 'ready') break
      if (Date.now() > deadline) throw new Error(`port ${port} is not ready: ${said}`)
      await sleep(100)
    }
  }
}

async function readiness(port: number): Promise<string> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(5000) })
    return answer.ok ? 'ready' : await answer.text()
  } catch (error) {
    return String(error)
  }
}
