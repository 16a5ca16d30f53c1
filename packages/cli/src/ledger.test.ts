import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatVerification } from './ledger-report.ts'
import { runCli } from './run.ts'

let server: Server
let asked: string[]
/** What the query side answers; what it really answers is its own tests' subject. */
let answer: object

beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    asked.push(request.url!)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function run(...args: string[]) {
  let [out, err] = ['', '']
  const { port } = server.address() as AddressInfo
  const code = await runCli(['ledger', ...args], {
    env: { PLATFORM_EVENTS_URL: `http://127.0.0.1:${port}`, PLATFORM_EVENTS_TOKEN: 'op_x' },
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    columns: 100,
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

const accounts = {
  ...{ received: 1119, rejected: 7, accepted: 1112, stored: 1090, duplicate: 7, dead_lettered: 3, quarantined: 2 },
  ...{ in_flight: 10, missing: 6, resent: 8, deleted: 0 },
}
const books = {
  ledger: [{ day: '2026-11-24', source_id: 3, source: null, ...accounts }],
  totals: accounts,
  identities_hold: true,
  spools: [
    { host: 'host-1', events: 10, bytes: 4096, reported_at: '2026-11-24T11:59:59.000Z' },
    { host: 'host-2', events: 0, bytes: 0, reported_at: '2026-11-24T11:59:59.000Z' },
  ],
  missing_as_of: '2026-11-24T11:59:00.000Z',
  from: '2026-11-18',
  to: '2026-11-24',
}

describe('ledger', () => {
  it('shows the books in the words of the view, and says that the identities hold', async () => {
    answer = books
    const { code, out } = await run('--from', '2026-11-18')
    expect(code).toBe(0)
    expect(asked).toEqual(['/v1/ledger?from=2026-11-18'])
    expect(out).toMatch(/^day \(UTC\) +source +received +rejected +accepted +stored +duplicate +dead_lettered/)
    expect(out).toMatch(/2026-11-24 +source 3 +1,119 +7 +1,112 +1,090 +7 +3 +2 +10 +6 +8 +0\n/)
    expect(out).toMatch(/all +1,119 +7 /)
    expect(out).toContain('The identities hold')
    expect(out).toContain('10 in flight')
    expect(out).toContain('6 missing, numbered by trackers and not seen, as of 2026-11-24T11:59:00.000Z.')
    expect(out).toContain('Spool of host-1: 10 events')
    expect(out).not.toContain('host-2')
    expect(JSON.parse((await run('--json')).out)).toEqual(books)
  })

  it('says where they do not hold, what was not counted, and that nothing came', async () => {
    answer = { ...books, identities_hold: false, missing_as_of: null }
    const { out } = await run()
    expect(out).toContain('The identities do NOT hold')
    expect(out).toContain('was not counted yet')
    answer = { ...books, ledger: [] }
    expect((await run('--to', '2026-11-24')).out).toBe('Nothing was received from 2026-11-18 to 2026-11-24.\n')
  })

  it('takes days so long ago, and verifies no day that is none', async () => {
    answer = books
    await run('--from', '7d')
    expect(asked[0]).toBe(`/v1/ledger?from=${new Date(Date.now() - 7 * 86_400_000).toISOString().slice(0, 10)}`)
    for (const day of ['2026-11-31', 'yesterday', '2026-11-24T00:00:00Z'])
      expect(await run('--verify', '--from', day)).toMatchObject({
        code: 1,
        err: expect.stringContaining(`"${day}" is no day`),
      })
  })

  it('says what cannot be read, and where it looked', async () => {
    const verify = (env: Record<string, string>) => runCli(['ledger', '--verify'], { ...quiet, env })
    let told = ''
    const quiet = {
      ...{ columns: 100, signal: new AbortController().signal, out: () => undefined },
      err: (text: string) => {
        told = text
      },
    }
    expect(await verify({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/postgres' })).toBe(1)
    expect(told).toMatch(/^platform-events: The ledger cannot be verified: .*ECONNREFUSED.*\n.*set DATABASE_URL/)
  })

  it('tells a recount: what differs, what is lost and where to look, and a log that may be the wrong one', () => {
    const told = formatVerification({
      balanced: false,
      from: '2026-11-18',
      to: '2026-11-24',
      accounts: [{ account: 'stored', counted: 1090, found: 1088 }],
      in_flight: { counted: 30, log: 12, spools: 10, nowhere: 8, silent_spools: 0, twice: 0 },
      differences: [{ day: '2026-11-24', source_id: 3, account: 'stored', counted: 1090, found: 1088 }],
      open_losses: 2,
      strange_log: 'cluster:topic',
    })
    expect(told).toMatch(/stored +1,090 +1,088 +rows; those deleted are taken off\n/)
    expect(told).toMatch(/in_flight +30 +22 +log 12, spools 10, nowhere 8\n/)
    expect(told).toContain('2026-11-24  source 3  stored: 1,090 in the books, 1,088 found\n')
    expect(told).toContain('8 accepted events are in neither table nor log nor spool: lost. 2 loss events are open')
    expect(told).toContain('Nothing was ever loaded from this log (cluster:topic)')
    expect(told).toMatch(/The books do NOT balance\.\n$/)
  })
})
