import type { SentEvents } from './sent-events.ts'

interface SessionOrder {
  topicPartition: number
  lastSeq: number
  /** More topic partitions, or more collectors: then there is no order to be kept. */
  moved: boolean
}

/** Whether the first occurrence of each event in the log comes in the order in which its session's events were sent. */
export class LogOrder {
  readonly #sent: SentEvents
  readonly #sessions = new Map<string, SessionOrder>()
  readonly #seen = new Set<string>()
  readonly #broken: { session: string; says: string }[] = []
  events = 0

  constructor(sent: SentEvents) {
    this.#sent = sent
  }

  take(topicPartition: number, value: Buffer): void {
    for (const line of value.toString().split('\n')) {
      // The rest of the line may be poison.
      const id = /^\{"id":"([^"]+)"/.exec(line)?.[1]
      if (id !== undefined) this.#takeEvent(id, topicPartition)
    }
  }

  #takeEvent(id: string, topicPartition: number): void {
    this.events++
    const event = this.#sent.byId.get(id)
    if (event?.session === undefined || event.seq === undefined || !event.inOrder || this.#seen.has(id)) return
    this.#seen.add(id)
    const order = this.#sessions.get(event.session) ?? { topicPartition, lastSeq: -1, moved: false }
    this.#sessions.set(event.session, order)
    if (order.topicPartition !== topicPartition) order.moved = true
    if (event.seq < order.lastSeq)
      this.#broken.push({
        session: event.session,
        says: `${id} (its number ${event.seq} first comes after ${order.lastSeq})`,
      })
    order.lastSeq = event.seq
  }

  /** How many sessions were looked at, and the events that stand behind later ones. */
  result(): { sessions: number; broken: string[] } {
    const kept = [...this.#sessions].filter(([, { moved }]) => !moved)
    const names = new Set(kept.map(([session]) => session))
    return {
      sessions: kept.length,
      broken: this.#broken.filter(({ session }) => names.has(session)).map(({ says }) => says),
    }
  }
}
