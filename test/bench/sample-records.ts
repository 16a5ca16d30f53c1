import { randomUUID } from 'node:crypto'
import { type LoggedEvent, logLine } from '@platform-events/contracts'
import type { LogRecord } from '@platform-events/event-log'

/**
 * Records as a collector appends them, numbered for the ledger: sessions of 1 to 20 events in runs, 62 % of a signed-in user, properties
 * of about 290 bytes, an hour of time.
 */
export function sampleRecords(count: number, perRecord: number): LogRecord[] {
  const names = ['SearchStarted', 'SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'PaymentAttempted']
  const users = Array.from({ length: 20_000 }, () => randomUUID())
  const collectorId = randomUUID()
  const receivedAt = new Date()
  const startedAt = receivedAt.getTime() - 3_600_000
  const records: LogRecord[] = []
  let session: { id: string; user: string | undefined; left: number } | undefined
  for (let made = 0; made < count; ) {
    let value = ''
    let key = ''
    const events = Math.min(perRecord, count - made)
    for (let i = 0; i < events; i++, made++) {
      if (session === undefined || session.left-- === 0) {
        const user = Math.random() < 0.62 ? users[Math.floor(Math.random() ** 2 * users.length)] : undefined
        session = { id: randomUUID(), user, left: Math.floor(Math.random() * 20) }
      }
      key ||= session.id
      value += logLine(sampleEvent(names[made % names.length]!, session, new Date(startedAt + made * (3e6 / count))))
    }
    const headers = {
      schema: '1' as const,
      source_id: 1,
      batch_id: randomUUID(),
      received_at: receivedAt.toISOString(),
      events,
      collector_id: collectorId,
      accepted: made,
    }
    records.push({ key, value: Buffer.from(value), headers })
  }
  return records
}

function sampleEvent(name: string, session: { id: string; user: string | undefined }, createdAt: Date): LoggedEvent {
  return {
    id: uuidv7(createdAt.getTime()),
    event_type: name,
    ...(session.user === undefined ? {} : { user_id: session.user }),
    session_id: session.id,
    created_at: createdAt.toISOString(),
    stream: session.id,
    seq: Math.floor(Math.random() * 100),
    properties: {
      pro_id: randomUUID(),
      city: 'Medellín',
      service: 'plumbing',
      price: Math.floor(Math.random() * 400_000),
      availability_score: Math.random(),
      badges: ['verified', 'top'],
      device: 'mobile',
      lat: 6.2442 + Math.random() / 100,
      lng: -75.5812 + Math.random() / 100,
      experiment: 'ranking-b',
      url: `https://example.com/professionals?page=${Math.floor(Math.random() * 50)}`,
    },
  }
}

function uuidv7(time: number): string {
  const hex = time.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`
}
