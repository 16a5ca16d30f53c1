import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SteadyLoad {
  /** Marks the events: `properties.run`. */
  run: string
  /** Events acknowledged so far. */
  acknowledged(): number
  /** A request whose body does not come to its end before `finish`; resolves when the server has it in hand. */
  hold(): Promise<{ finish(): Promise<number> }>
  /** Resolves when everything begun is acknowledged. @throws at an answer that is neither 202 nor says to ask again */
  stop(): Promise<void>
}

const SENDERS = 4
const BATCH = 10
const PAUSE_MS = 50

/** Events from several senders at once that send the same bytes again, soon, until they are acknowledged: servers, not pages. */
export function startSteadyLoad(options: { url: string; writeKey: string }): SteadyLoad {
  const { url, writeKey } = options
  const run = randomUUID()
  let tracked = 0
  let acknowledged = 0
  let stopped = false

  function body(): string {
    const batch = Array.from({ length: BATCH }, () => ({
      id: randomUUID(),
      event_type: 'SearchStarted',
      created_at: new Date().toISOString(),
      session_id: `visitor-${tracked % 50}`,
      properties: { run, n: tracked++ },
    }))
    return JSON.stringify({ batch })
  }

  async function send(): Promise<void> {
    while (!stopped) {
      const bytes = body()
      while (!(await taken(bytes))) await sleep(30)
      acknowledged += BATCH
      await sleep(PAUSE_MS)
    }
  }

  async function taken(bytes: string): Promise<boolean> {
    const headers = { authorization: `Bearer ${writeKey}`, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: bytes }).catch(() => undefined)
    if (answer === undefined) return false
    const text = await answer.text().catch(() => undefined)
    if (text === undefined || answer.status === 503) return false
    if (answer.status === 202 && JSON.parse(text).accepted === BATCH) return true
    throw new Error(`${answer.status} ${text}`)
  }

  const sending = Promise.all(Array.from({ length: SENDERS }, send))
  sending.catch(() => undefined)
  return {
    run,
    acknowledged: () => acknowledged,
    async hold() {
      const bytes = body()
      const { hostname, port } = new URL(url)
      const socket = connect(Number(port), hostname).setEncoding('utf8')
      let answer = ''
      socket.on('data', (text: string) => {
        answer += text
      })
      const head = [
        'POST /v1/events HTTP/1.1',
        `host: ${hostname}`,
        `authorization: Bearer ${writeKey}`,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(bytes)}`,
        'expect: 100-continue',
      ]
      socket.write(`${head.join('\r\n')}\r\n\r\n${bytes.slice(0, 100)}`)
      await once(socket, 'data')
      return {
        async finish() {
          answer = ''
          const ended = once(socket, 'close')
          socket.write(bytes.slice(100))
          await ended
          const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
          if (status === 202) acknowledged += BATCH
          return status
        },
      }
    },
    async stop() {
      stopped = true
      await sending
    },
  }
}
