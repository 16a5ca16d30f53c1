import type { WireEvent } from '@platform-events/contracts'

/** The table, the dead letters or the quarantine. */
export type Place = 'stored' | 'dead' | 'quarantined'

export interface SentEvent {
  session: string | undefined
  stream: string | undefined
  seq: number | undefined
  eventType: string
  user: string | undefined
  createdAt: string | undefined
  /** Tells events apart by what they carry, not by their id. */
  n: unknown
  goesTo: Place
  /** It went through one collector at all times, as all of its session. */
  inOrder: boolean
  acknowledged: boolean
}

/** Every event that left for the collector, by id, and whether a 202 (or the log itself) has answered for it. */
export class SentEvents {
  readonly byId = new Map<string, SentEvent>()
  /** What the collector refused, by id: none should be. */
  readonly refused = new Map<string, string>()
  acknowledged = 0
  answers503 = 0
  /** Answers of 503 that did not say when to come again. */
  readonly withoutRetryAfter: string[] = []

  send(event: WireEvent, { goesTo = 'stored', inOrder = false }: { goesTo?: Place; inOrder?: boolean } = {}): void {
    if (this.byId.has(event.id!)) return
    const { session_id: session, stream, seq, event_type: eventType, user_id: user, created_at: createdAt } = event
    const n = event.properties?.['n']
    this.byId.set(event.id!, {
      session: session ?? undefined,
      stream: stream ?? undefined,
      seq: seq ?? undefined,
      user: user ?? undefined,
      ...{ eventType, createdAt },
      ...{ n, goesTo, inOrder, acknowledged: false },
    })
  }

  acknowledge(id: string): void {
    const event = this.byId.get(id)!
    if (event.acknowledged) return
    event.acknowledged = true
    this.acknowledged++
  }

  /** All requests that carry events come through here: what they carry and what the answer says is written down. */
  async post(
    request: { url: string; init: RequestInit; goesTo?: Place; inOrder?: boolean },
    fetchNow: typeof fetch,
  ): Promise<Response> {
    const { batch } = JSON.parse(request.init.body as string) as { batch: WireEvent[] }
    for (const event of batch) this.send(event, request)
    const response = await fetchNow(request.url, request.init)
    if (response.status === 503) this.#note503(response)
    const answer = await response
      .clone()
      .json()
      .catch(() => null)
    if (response.status !== 202 || answer === null) return response
    const refused = new Map<number, string>(
      answer.rejected.map((verdict: { index: number; code: string }) => [verdict.index, verdict.code]),
    )
    for (const [index, event] of batch.entries()) {
      const code = refused.get(index)
      if (code === undefined) this.acknowledge(event.id!)
      else this.refused.set(event.id!, code)
    }
    return response
  }

  #note503(response: Response): void {
    this.answers503++
    if (!(Number(response.headers.get('retry-after')) > 0)) this.withoutRetryAfter.push(response.url)
  }
}
