import { randomUUID } from 'node:crypto'
import { uuidv7Generator } from '@platform-events/contracts'

const newId = uuidv7Generator()

/** A body with events of one visitor, of about 500 bytes each; ids and times are new in each, as a tracker's are. */
export function sampleRequest(events: number): string {
  const session_id = randomUUID()
  const batch = Array.from({ length: events }, (_, seq) => ({
    id: newId(),
    event_type: 'ProfessionalViewed',
    session_id,
    created_at: new Date().toISOString(),
    stream: session_id,
    seq,
    properties: {
      pro_id: session_id,
      city: 'Medellín',
      service: 'plumbing',
      price: 85_000,
      availability_score: 0.75,
      badges: ['verified', 'top'],
      device: 'mobile',
      url: 'https://example.com/professionals?page=3&sort=price',
      experiment: 'ranking-b',
    },
  }))
  return JSON.stringify({ batch, sent_at: new Date().toISOString() })
}
