import { randomUUID } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { LogOrder } from './log-order.ts'
import { SentEvents } from './sent-events.ts'

let sent: SentEvents
let order: LogOrder
const session = randomUUID()
const stream = randomUUID()

beforeEach(() => {
  sent = new SentEvents()
  order = new LogOrder(sent)
})

function send(seq: number, inOrder = true): string {
  const id = randomUUID()
  sent.send({ id, event_type: 'SearchStarted', session_id: session, stream, seq }, { inOrder })
  return id
}

function record(...ids: string[]): Buffer {
  return Buffer.from(ids.map((id) => `{"id":"${id}","event_type":"SearchStarted"}\n`).join(''))
}

test('in the order of sending is good, and so is what comes a second time', () => {
  const [a, b, c] = [send(0), send(1), send(2)]
  order.take(0, record(a, b))
  order.take(0, record(a, b, c))
  expect(order.result()).toEqual({ sessions: 1, broken: [] })
})

test('an event that first comes behind a later one is named', () => {
  const [a, b] = [send(0), send(1)]
  order.take(0, record(b))
  order.take(0, record(a, b))
  expect(order.result()).toEqual({ sessions: 1, broken: [`${a} (its number 0 first comes after 1)`] })
})

test('a session that moved to another topic partition, or went through many collectors, has no order', () => {
  const [a, b, c] = [send(0), send(1), send(2, false)]
  order.take(0, record(b, c))
  order.take(1, record(a))
  expect(order.result()).toEqual({ sessions: 0, broken: [] })
})
