import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { hostileBodies } from '../support/hostile-events.ts'
import { freePort } from '../support/process.ts'
import { startStandalone } from '../support/standalone.ts'
import { connect, rollupDifferences } from '../support/stored.ts'

const REQUESTS = 1500
const CLIENTS = 8

test(`${REQUESTS} hostile requests: no 5xx, whatever was accepted is accounted for, and others' events get through`, async () => {
  const dataDir = await makeDataDir()
  const running = await startStandalone({ dataDir: dataDir.path, port: await freePort() })
  const pool = connect(running.access.database_url)
  try {
    const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_007)
    const bodies = fc.sample(hostileBodies(Date.now()), { numRuns: REQUESTS, seed })
    const post = (body: string, key: string, zip = false): Promise<Response> =>
      fetch(`${running.url}/v1/events`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'text/plain',
          ...(zip && { 'content-encoding': 'gzip' }),
        },
        body: zip ? gzipSync(body) : body,
      })

    const statuses = new Set<number>()
    const innocent: string[] = []
    let accepted = 0
    let next = 0
    async function client(): Promise<void> {
      for (let at = next++; at < bodies.length; at = next++) {
        const { write_key, secret_key } = running.access
        const answer = await post(bodies[at]!, at % 2 ? write_key : secret_key, at % 7 === 0)
        statuses.add(answer.status)
        if (answer.status === 202) accepted += ((await answer.json()) as { accepted: number }).accepted
        if (at % 20 !== 0) continue
        const id = randomUUID()
        const event = { id, event_type: 'Innocent', session_id: 'innocent', created_at: new Date().toISOString() }
        expect((await post(JSON.stringify(event), write_key)).status).toBe(202)
        innocent.push(id)
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    expect(
      [...statuses].filter((status) => ![202, 400, 413].includes(status)),
      `FUZZ_SEED=${seed}`,
    ).toEqual([])

    const ledger = async (): Promise<{ stored: number; quarantined: number; dead: number }> =>
      (
        await pool.query(`select
          (select count(*)::int from public.platform_events) as stored,
          (select count(*)::int from events_internal.quarantined_events) as quarantined,
          (select count(*)::int from events_internal.dead_letters) as dead`)
      ).rows[0]
    // Ids and times of this fuzz never meet by chance, so that nothing but the twins within one request are duplicates.
    await vi.waitFor(
      async () => {
        const { stored, quarantined, dead } = await ledger()
        expect(stored + quarantined + dead, `FUZZ_SEED=${seed}`).toBe(accepted + innocent.length)
      },
      { timeout: 30_000, interval: 200 },
    )
    expect((await ledger()).dead, `FUZZ_SEED=${seed}`).toBe(0)
    expect(accepted).toBeGreaterThan(REQUESTS / 2)
    const found = await pool.query('select id from public.platform_events where id = any ($1)', [innocent])
    expect(found.rowCount).toBe(innocent.length)
    expect(await rollupDifferences(pool)).toEqual([])
  } finally {
    await pool.end()
    await running.stop()
    await dataDir.remove()
  }
})
